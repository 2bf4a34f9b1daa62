import base64
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageShow

from feedseg.errors import FeedsegError
from feedseg.segmentation import Segmentation

Scene = Callable[..., Segmentation]


class Page(HTMLParser):
    """Text, attributes and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip("\xa0 "))


def decoded(source: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(source.partition(",")[2])))


def test_a_notebook_gets_the_picture_and_a_table(scene: Scene) -> None:
    page = Page(scene()._repr_html_())
    assert page.open == []
    assert page.texts == [
        *("class", "area", "confidence", "background", "66.0%", "50%", "dog", "33.3%", "75%", "cat", "0.7%", "50%"),
        "not found: bird",
    ]
    sources = [str(value) for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert [decoded(source).format for source in sources] == ["JPEG", "PNG", "PNG", "PNG"]
    assert decoded(sources[0]).size == (640, 480)
    swatches = [np.asarray(decoded(source).convert("RGB"))[0, 0].tolist() for source in sources[1:]]
    assert swatches == scene().palette[:3].tolist()


def test_it_needs_nothing_else_and_names_no_colour_of_letters(scene: Scene) -> None:
    html = scene()._repr_html_()
    assert not re.search(r"<(script|style|link|svg)\b|https?:", html)
    assert set(re.findall(r"[;\"]color:(\w+)", html)) == {"inherit"}
    assert set(re.findall(r"background:(\w+)", html)) == {"transparent"}


def test_names_are_escaped(scene: Scene) -> None:
    evil = '<img src=x onerror="alert(1)">&amp;'
    names = ("background", evil, "cat", "<b>bold</b>")
    html = scene(names=names, source='a"b<c>.png')._repr_html_()
    page = Page(html)
    assert evil in page.texts
    assert "not found: <b>bold</b>" in page.texts
    assert not [value for _, name, value in page.attributes if name == "onerror"]
    assert {value for _, name, value in page.attributes if name == "title"} == {f'a"b<c>.png: {", ".join(names)}'}


def test_it_stays_small(scene: Scene) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (150, 200, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
    labels = rng.integers(0, 40, (15, 20)).repeat(100, axis=0).repeat(100, axis=1)
    names = tuple(f"class {number}" for number in range(900))
    result = scene(labels=labels, image=image, confidence=np.ones(labels.shape), names=names)
    html, png = result._repr_html_(), result._repr_png_()
    assert len(html) < 400_000
    assert len(png) < 700_000
    assert "and 820 more" in html
    with Image.open(BytesIO(png)) as shown:
        assert (shown.format, shown.width) == ("PNG", 640)


def test_show_in_a_window(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Image.Image] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(ImageShow, "show", lambda image, **_: shown.append(image) or True)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    scene().show()
    assert [image.size for image in shown] == [scene().overlay().size]


def test_show_where_there_is_no_window(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageShow, "show", lambda *_, **__: False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with pytest.raises(FeedsegError, match="no program here that shows images"):
        scene().show()


def test_show_in_a_notebook(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[object] = []
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=displayed.append))
    result = scene()
    result.show()
    assert displayed == [result]
