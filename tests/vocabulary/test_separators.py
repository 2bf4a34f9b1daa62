"""What people write instead of commas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedseg.vocabulary.separators import advice_on, numbers_before


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("plain. striped.", "plain, striped"),
        ("plain . striped .", "plain, striped"),
        ("cat. dog", "cat, dog"),
        ("a cat. st. bernard. dog.", "a cat, st. bernard, dog"),
        ("dog.", "dog"),
        ("cat | dog", "cat, dog"),
        ("cat||hot dog|", "cat, hot dog"),
        ("cat\tdog", "cat, dog"),
        ("cat\r\ndog\n", "cat, dog"),
        ("cat/dog / bird", "cat, dog, bird"),
        ("cat\uff0cdog\u3001bird", "cat, dog, bird"),
    ],
)
def test_the_likely_separator_is_named(text, meant):
    assert f'did you mean "{meant}"?' in (advice_on(text, whole=True) or "")


@pytest.mark.parametrize(
    "text", ["st. bernard", "St. Bernard", "t. rex", "e. coli", "u.s. flag", "dog", "hot dog", "dr.", "3.5 inch disk"]
)
def test_one_name_is_one_name(text):
    assert advice_on(text, whole=True) is None


@pytest.mark.parametrize("text", ["tv/monitor", "cat. dog", "dog.", "st. bernard"])
def test_among_others_stops_and_slashes_are_part_of_a_name(text):
    assert advice_on(text, whole=False) is None


@pytest.mark.parametrize("text", ["plain. striped.", "cat | dog", "cat\tdog"])
def test_captions_and_bars_are_none_anywhere(text):
    assert advice_on(text, whole=False)


@given(st.text(max_size=1000))
def test_advice_is_short(text):
    assert len(advice_on(text, whole=True) or "") < 200


@pytest.mark.parametrize(
    "names",
    [
        ["0 plain", "1 striped"],
        ["1: a", "2: b"],
        ["1. a", "2. b"],
        ["0) a", "1) b"],
        ["0\ta", "1\tb"],
        ["1 - a", "2 - b"],
    ],
)
def test_numbers_before_names_are_seen(names):
    assert numbers_before(names)


@pytest.mark.parametrize(
    "names",
    [["2 cats", "3 dogs"], ["10 euros", "20 euros"], ["1 euro"], ["7up", "8up"], ["1", "2"], ["0 a", "b"], [1, 2]],
)
def test_numbers_that_belong_to_names_are_not(names):
    assert not numbers_before(names)
