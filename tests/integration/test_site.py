"""The documentation builds as a site, strictly, and the site is whole in itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import feedseg
from paths import ROOT

pytestmark = pytest.mark.skipif(
    not (find_spec("material") and find_spec("mkdocstrings_handlers")), reason="needs mkdocs-material and mkdocstrings"
)
FETCHED = re.compile(r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//[^>]*>|<link\b[^>]*>""")


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    variables = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=source, env=variables, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert pages | {Path("404.html")} == {path.relative_to(site) for path in site.rglob("*.html")}


def test_no_heading_is_lost(site: Path) -> None:
    """As it would be in a block of code that the site does not see the end of."""
    for source in sorted((ROOT / "docs").rglob("*.md")):
        text = re.sub(r"^```.*?^```", "", source.read_text(encoding="utf-8"), flags=re.S | re.M)
        page = site / source.relative_to(ROOT / "docs").with_suffix(".html")
        shown = page.read_text(encoding="utf-8")
        for level in (1, 2, 3):
            headings = re.findall(rf"^{'#' * level} (.+)$", text, re.M)
            assert shown.count(f"<h{level} id=") >= len(headings), (source, headings)


def test_what_is_public_is_described(site: Path) -> None:
    text = (site / "api.html").read_text(encoding="utf-8")
    described = set(re.findall(r'<h2 id="feedseg\.[\w.]*?(\w+)"', text))
    assert described == set(feedseg.__all__)
    assert 'id="feedseg.segmenter.Segmenter.load"' in text


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        found = FETCHED.findall(page.read_text(encoding="utf-8"))
        assert not [tag for tag in found if "//" in tag and 'rel="canonical"' not in tag], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet


@pytest.mark.parametrize("wrong", ["[there](nowhere.md)", "[there](guide.md#nowhere)"])
def test_what_leads_nowhere_fails(wrong: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "src").symlink_to(ROOT / "src")
    page = tmp_path / "docs/formats.md"
    page.write_text(page.read_text(encoding="utf-8") + f"\n{wrong}\n", encoding="utf-8")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
