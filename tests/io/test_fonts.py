from pathlib import Path

import pytest
from PIL import ImageFont

from feedseg.io import fonts


def test_the_plain_font_has_what_is_ascii_and_comes_in_every_size() -> None:
    small, large = fonts.plain_font(13), fonts.plain_font(26)
    assert small.getlength("cat") < large.getlength("cat") < 3 * small.getlength("cat")
    assert fonts.font_for("cat, big dog!", 13) is small


def test_without_a_font_that_has_the_characters_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "SYSTEM_FONTS", ("no-such-font.ttf",))
    assert fonts.system_font("no-such-font.ttf", 13) is None
    assert fonts.font_for("猫", 13) is None


def test_a_system_font_is_taken_where_the_plain_one_lacks_a_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fonts the system has, the first that has the characters is taken."""
    having = [file for file in fonts.SYSTEM_FONTS if fonts.system_font(file, 20)]
    if "DejaVuSans.ttf" not in having:
        pytest.skip("the system has no DejaVu")
    monkeypatch.setattr(fonts, "SYSTEM_FONTS", ("no-such-font.ttf", "DejaVuSans.ttf"))
    font = fonts.font_for("кошка", 20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert font.getname()[0] == "DejaVu Sans"
