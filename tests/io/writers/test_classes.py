import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedseg.io.writers.classes import LONGEST, slugs

FORBIDDEN = '<>:"/\\|?*. '  # of Windows, and what would end a word of a suffix


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("cat", "traffic light", "Grass (wet)"), ("cat", "traffic-light", "grass-wet")),
        (("Cat", "cat", "CAT!"), ("cat", "cat-1", "cat-2")),
        (("a/b", "a:b", "a-b-1"), ("a-b", "a-b-1", "a-b-1-2")),
        (("猫", "Straße", "é", "e\u0301"), ("猫", "strasse", "é", "é-3")),
        (("?", "…", " "), ("class-0", "class-1", "class-2")),
        (("x" * 300, "x" * 301), ("x" * 60, "x" * 58 + "-1")),
    ],
)
def test_names_in_file_names(names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert slugs(names) == expected


@given(st.lists(st.text(max_size=80), unique=True, max_size=20))
def test_any_names_are_safe_and_told_apart_everywhere(names: list[str]) -> None:
    found = slugs(tuple(names))
    assert len({unicodedata.normalize("NFD", slug).casefold() for slug in found}) == len(names)
    for slug in found:
        assert slug
        assert not set(slug) & set(FORBIDDEN)
        assert all(ord(char) > 31 for char in slug)
        assert len(slug.encode()) <= LONGEST
