import json
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from panoedge.report import write_report
from panoedge.report.schema import load
from perception.errors import InputError
from perception.files import alone


def test_all_files_are_written_and_read_back(report, overlays, tmp_path):
    write_report(report, tmp_path / "new" / "folder", overlays)
    out = tmp_path / "new" / "folder"
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert names == {"report.json", "report.md", "report.html", "overlays/01-1.jpg", "overlays/01-2.jpg"}
    written = load(out / "report.json")
    assert written["models"] == report["models"]
    assert [panel["file"] for panel in written["overlays"][0]["panels"]] == ["overlays/01-1.jpg", "overlays/01-2.jpg"]


def test_the_same_report_gives_the_same_files(report, overlays, tmp_path):
    for name in ("a", "b"):
        write_report(report, tmp_path / name, overlays)
    for name in ("report.json", "report.md", "report.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_malformed_report_writes_nothing(report, overlays, tmp_path):
    report["models"][0]["metrics"]["lane"]["IoU"] = float("nan")
    with pytest.raises(InputError, match=r"models\[0\]\.metrics\.lane\.IoU"):
        write_report(report, tmp_path, overlays)
    assert list(tmp_path.iterdir()) == []


def test_who_writes_the_same_folder_waits(report, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        with alone(tmp_path / "report.json"):
            other = pool.submit(write_report, report, tmp_path)
            assert not wait([other], 0.5).done
            assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
        other.result()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json", "report.md"]


def test_a_file_in_the_way(report, tmp_path):
    (tmp_path / "out").write_text(json.dumps("mine"))
    with pytest.raises(InputError, match="out"):
        write_report(report, tmp_path / "out")
