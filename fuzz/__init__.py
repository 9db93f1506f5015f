"""Every reader of files against files that nobody wrote: ``python -m fuzz`` is a campaign, coverage-guided by atheris.

What a reader is given it must read, or refuse with one line. See :mod:`fuzz.verdict` for what counts as a finding, and
docs/reliability.md for the last campaign.
"""
