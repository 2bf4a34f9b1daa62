"""The gallery shows what its program makes: every case with its words, small files, a source for each photograph."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest
from PIL import Image

from feedseg import Vocabulary
from paths import ROOT

PROGRAM = ROOT / "docs/pictures/gallery.py"
IMAGES = ROOT / "docs/pictures/gallery"
PAGE = (ROOT / "docs/gallery.md").read_text(encoding="utf-8")
MOST_BYTES = 900_000  # of all of them


def program():
    spec = spec_from_file_location("gallery", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["gallery"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gallery = program()
CASES = (*gallery.WORKS, *gallery.FAILS)


def test_the_page_shows_every_case_once_in_the_programs_order_with_its_words():
    words = re.findall(r"`([^`\n]*)`[.,](?:[^!]*?)!\[[^\]]*\]\(pictures/gallery/([\w-]+)\.jpg\)", PAGE)
    assert words == [(case.words, case.name) for case in CASES]


def test_as_many_fail_as_work():
    assert len(gallery.FAILS) >= len(gallery.WORKS) >= 6
    assert len({case.photograph for case in CASES}) >= 12


def test_the_files_are_those_of_the_page_and_small():
    files = sorted(IMAGES.iterdir())
    assert [path.stem for path in files] == sorted(case.name for case in CASES)
    assert max(path.stat().st_size for path in files) <= gallery.MOST_BYTES
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_every_photograph_has_a_source_and_a_licence_that_lets_it_be_shown():
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| ([^|]+) \|$", PAGE, re.M))
    assert rows.keys() == {case.photograph for case in CASES}
    assert set(rows.values()) <= {"CC0", "public domain", "no known copyright restrictions"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_left_half_is_the_photograph(case):
    pytest.importorskip("skimage")
    pytest.importorskip("matplotlib")
    Vocabulary.parse_line(case.words, background=case.background or None)
    photograph = gallery.photograph(case.photograph)
    assert max(photograph.size) <= gallery.READ
    size = gallery.SHOWN, round(photograph.height * gallery.SHOWN / photograph.width)
    wanted = np.asarray(photograph.resize(size), np.float32)
    with Image.open(IMAGES / f"{case.name}.jpg") as shown:
        found = np.asarray(shown.convert("RGB").crop((0, 0, *size)), np.float32)
    assert abs(found - wanted).mean() < 12  # of 255: a JPEG's loss
