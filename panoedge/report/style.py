"""The look of the page: system fonts, hairlines, numbers in columns; paper is always light."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --ink: #1b1f24; --soft: #5d6672; --line: #dfe3e8; --panel: #f6f7f9;
  --gain: #dcf1e3; --slight: #fdf3d3; --clear: #fbdfc0; --heavy: #f7c9c6;
  --gain-ink: #176639; --heavy-ink: #a3231d; --clear-ink: #8f4a06;
  --m1: #2f6db5; --m2: #bd5416; --m3: #21835a; --m4: #9c3a8b; --m5: #836709;
  --m6: #0d7f90; --m7: #bb3443; --m8: #6353c4;
  --s1: #b9c0c9; --s2: #8db4e0; --s3: #d9c37a; --s4: #2f6db5; --s5: #e6a96a; --s6: #6a9f7e;
  --s7: #c79bc0; --s8: #7fb8c0;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #15181c; --ink: #e6e9ed; --soft: #98a2ae; --line: #2d333b; --panel: #1c2026;
    --gain: #15402a; --slight: #413812; --clear: #54330f; --heavy: #5e1f1e;
    --gain-ink: #6fd39a; --heavy-ink: #f39089; --clear-ink: #eeb06b;
    --m1: #6ea8ef; --m2: #f0955a; --m3: #5cc596; --m4: #dd86cc; --m5: #d4b13f;
    --m6: #4fc3d6; --m7: #f07a86; --m8: #a79cf5;
    --s1: #59616c; --s2: #43658d; --s3: #8a7838; --s4: #6ea8ef; --s5: #a86f37; --s6: #4b8a66;
    --s7: #86607f; --s8: #457f88;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; font-weight: 650; letter-spacing: -0.01em; }
h2 { margin: 0 0 14px; font-size: 1.1rem; font-weight: 650; break-after: avoid; }
h3 { margin: 20px 0 8px; font-size: 0.95rem; font-weight: 600; break-after: avoid; }
section { margin-top: 44px; }
p, dl, dd, ol, ul, figure { margin: 0; padding: 0; }
.date, .note, figcaption, dt, .detail, thead th, .aside { color: var(--soft); }
.date { margin-top: 4px; }
.note { margin-top: 10px; max-width: 75ch; font-size: 0.87rem; }

.verdict { margin-top: 28px; padding: 20px 24px 22px; background: var(--panel); border-radius: 10px; }
.facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 20px 24px; }
.facts dt { font-size: 0.83rem; }
.facts .value { font-size: 1.45rem; line-height: 1.3; font-weight: 600; letter-spacing: -0.01em; }
.facts .detail { font-size: 0.83rem; }
.value.gain { color: var(--gain-ink); }
.value.clear { color: var(--clear-ink); }
.value.heavy { color: var(--heavy-ink); }

.scroll { overflow-x: auto; }
.scroll + .terms { margin-top: 16px; }
.terms + .scroll { margin-top: 28px; }
table { width: 100%; border-collapse: collapse; font-size: 0.93rem; }
th, td { padding: 7px 10px; text-align: left; vertical-align: top; font-weight: 400; }
thead th { padding-top: 0; font-size: 0.83rem; white-space: nowrap; vertical-align: bottom; }
tbody th { position: sticky; left: 0; padding-left: 0; background: var(--page); min-width: 8em; max-width: 18em; }
thead th:first-child { padding-left: 0; }
tbody th:has(.mark) { padding-left: 1.6em; text-indent: -1.6em; }
tbody th .aside { text-indent: 0; }
tbody tr { border-top: 1px solid var(--line); break-inside: avoid; }
tbody tr:last-child { border-bottom: 1px solid var(--line); }
tbody tr.follows { border-top: 0; }
tbody tr.follows > * { padding-top: 0; }
td:not(.number) { min-width: 7em; }
.number { text-align: right; white-space: nowrap; }
.aside { display: block; font-size: 0.89em; line-height: 1.35; white-space: pre-line; }
.number .aside { white-space: pre; }
td.gain { background: var(--gain); }
td.slight { background: var(--slight); }
td.clear { background: var(--clear); }
td.heavy { background: var(--heavy); }
td.gain .aside, td.slight .aside, td.clear .aside, td.heavy .aside { color: inherit; }

.mark {
  display: inline-block; min-width: 1.55em; margin-right: 0.55em; padding: 0 0.3em; border-radius: 1em;
  background: var(--m); color: var(--page); font-size: 0.75rem; line-height: 1.55em; font-weight: 650;
  text-align: center; text-indent: 0; vertical-align: 0.08em;
}
.m1 { --m: var(--m1); } .m2 { --m: var(--m2); } .m3 { --m: var(--m3); } .m4 { --m: var(--m4); }
.m5 { --m: var(--m5); } .m6 { --m: var(--m6); } .m7 { --m: var(--m7); } .m8 { --m: var(--m8); }
.s1 { --s: var(--s1); } .s2 { --s: var(--s2); } .s3 { --s: var(--s3); }
.s4 { --s: var(--s4); } .s5 { --s: var(--s5); } .s6 { --s: var(--s6); }
.s7 { --s: var(--s7); } .s8 { --s: var(--s8); }
.swatch { display: inline-block; width: 9px; height: 9px; margin-right: 6px; border-radius: 2px; background: var(--s); }
.bar { display: block; width: 100%; min-width: 140px; height: 14px; margin-top: 4px; }
.bar rect { fill: var(--s); }

.legend { display: flex; flex-wrap: wrap; gap: 6px 22px; margin-bottom: 18px; list-style: none; font-size: 0.93rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 24px; }
.plots figure, .panels figure { break-inside: avoid; }
.plots figcaption { color: var(--ink); font-size: 0.93rem; font-weight: 600; }
.plot { display: block; width: 100%; height: auto; overflow: visible; font-size: 11px; }
.plot text { fill: var(--soft); }
.plot line { stroke: var(--line); }
.plot circle { fill: var(--m); fill-opacity: 0.12; stroke: var(--m); stroke-width: 1.5; }
.plot text[class] {
  fill: var(--m); font-weight: 700; stroke: var(--page); stroke-width: 3px; stroke-linejoin: round; paint-order: stroke;
}
@media screen and (min-width: 900px) {
  /* Four stand two by two, and their letters stay as large as those of three in a row. */
  .plots:has(> :nth-child(4):last-child) { grid-template-columns: 1fr 1fr; }
  .plots:has(> :nth-child(4):last-child) .plot { font-size: 8px; }
}
.plot .area { fill: var(--m); fill-opacity: 0.13; }
.plot .curve { fill: none; stroke: var(--m); stroke-width: 1.5; stroke-linejoin: round; }
.plot .faint { stroke-opacity: 0.4; stroke-width: 1; }
.plot .band { fill: none; }
.plot .odd { fill: var(--panel); }
.plot path.event { stroke: var(--heavy-ink); stroke-width: 1.5; stroke-dasharray: 4 3; }
.plot text.event { fill: var(--heavy-ink); }
.lines { display: flex; flex-wrap: wrap; gap: 2px 16px; margin-top: 4px; list-style: none; font-size: 0.83rem; }
.lines .note { font-size: inherit; }
.key {
  display: inline-block; width: 14px; height: 3px; margin-right: 6px; background: var(--m); vertical-align: 0.25em;
}

.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 12px; }
.panels img { display: block; width: 100%; height: auto; border-radius: 4px; }
.panels figcaption { margin-top: 4px; font-size: 0.87rem; }

.history { padding-left: 1.4em; }
.history li { margin-top: 6px; }
.settings { display: flex; flex-wrap: wrap; gap: 0 18px; font-size: 0.87rem; }
.settings div { display: flex; gap: 6px; min-width: 0; }
.settings dd, .terms dd { min-width: 0; overflow-wrap: anywhere; }
.terms { display: grid; grid-template-columns: minmax(9em, 14em) 1fr; gap: 10px 24px; font-size: 0.93rem; }
.terms dd { max-width: 75ch; }

@media (max-width: 640px) {
  main { padding: 24px 16px 48px; }
  h1 { font-size: 1.4rem; }
  section { margin-top: 34px; }
  .verdict { padding: 16px; }
  .facts { grid-template-columns: 1fr 1fr; gap: 16px; }
  .terms { grid-template-columns: 1fr; gap: 2px; }
  .terms dd { margin-bottom: 10px; }
}
@media print {
  @page { margin: 14mm; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  .verdict, td, .mark, .swatch { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .verdict { border: 1px solid var(--line); }
  .scroll { overflow: visible; }
  table { font-size: 8.5pt; }
  th, td { padding: 4px 6px; }
  tbody th { min-width: 7em; }
  .plots { grid-template-columns: repeat(3, 1fr); gap: 12px; }
}
"""
