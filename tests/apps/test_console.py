"""Text for the terminal."""

from __future__ import annotations

from feedseg.apps.cli.console import listed, one_line


def test_text_from_anywhere_fits_one_line() -> None:
    assert one_line("a\n  b\r\nc \x1b[31m\udcff é") == "a b c \\x1b[31m\\udcff é"


def test_long_lists_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(number) for number in range(30)], most=3) == "0, 1, 2, and 27 more"
