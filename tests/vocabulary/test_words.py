"""Normal forms against Unicode's own definition, and which known word is meant."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedseg.vocabulary.words import WordIndex, cleaned, fault, normal_form, plain_form, shown, tidied

TEXT = st.text(max_size=20)


@given(TEXT)
def test_forms_are_their_own_forms(text):
    for form in (tidied, cleaned, normal_form, plain_form):
        assert form(form(text)) == form(text)


@given(TEXT)
def test_ways_of_writing_have_one_normal_form(text):
    for other in (
        unicodedata.normalize("NFD", text),
        unicodedata.normalize("NFKC", text),
        f"  {text}\u00a0",
        text.replace(" ", "\u3000 "),
        f"\ufeff{text}\u200b",
    ):
        assert normal_form(other) == normal_form(text)


@given(st.text("abcdefghijklmnopqrstuvwxyz ABC-'.", max_size=30))
def test_ordinary_words_reach_the_encoder_as_they_are(text):
    assert cleaned(text) == " ".join(text.split())


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("dog", "Dog"),
        ("dog", "DOGS"),
        ("dogs", "dog"),
        ("hot dog", "hot  dogs"),
        ("potted plant", "potted-plant"),
        ("potted plant", "Potted_Plants"),
        ("café", "cafe"),
        ("cafe", "CAFE\u0301"),
        ("striped", "\uff53triped"),
        ("person", "people"),
        ("people", "person"),
        ("child", "children"),
        ("fireman", "firemen"),
        ("shelf", "shelves"),
        ("bus", "buses"),
        ("box", "boxes"),
        ("bench", "benches"),
        ("berry", "berries"),
        ("stairs", "stair"),
        ("glass", "glasses"),
        ("tomato", "tomatoes"),
        ("Stra\u00dfe", "strasse"),
    ],
)
def test_the_word_that_is_meant_is_found(known, asked):
    assert WordIndex(["fog", "gas", known]).find(asked) == known


@pytest.mark.parametrize(("known", "asked"), [("bu", "bus"), ("glas", "glass"), ("cat", "bat"), ("man", "woman")])
def test_other_words_are_not(known, asked):
    index = WordIndex(["gas", known])
    assert index.find(asked) in (None, *(["bu"] if asked == "bus" else []))


def test_a_word_as_it_stands_comes_before_its_other_forms():
    index = WordIndex(["Polish", "polish", "glass", "glasses"])
    assert [index.find(word) for word in ("polish", "Polish", "POLISH", "glasses")] == [
        "polish",
        "Polish",
        "Polish",
        "glasses",
    ]


def test_near_words_are_spelled_alike():
    index = WordIndex(["aeroplane", "sofa", "fog", "dog", "grey"])
    assert index.near("airplane") == ("aeroplane",)
    assert index.near("Gray") == ("grey",)
    assert index.near("giraffe") == ()


@pytest.mark.parametrize(
    "word",
    [
        "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "{} {0}",
        "犬",
        "กระต่าย",
        "हिन्दी",
    ],
)
def test_words_of_every_script_are_words(word):
    assert fault(word) is None
    assert tidied(word) == word


def test_a_word_is_not_torn_in_a_message():
    assert shown("\u06a9\u200c\u0647") == "'\u06a9\u200c\u0647'"
    assert shown("a\x07") == r"'a\x07'"
    assert len(shown("x" * 1000)) < 70


@pytest.mark.parametrize("word", ["a\x07", "a\x1b[31m", "\u202egod", "a\u2066b", "\ud800", "#1", "x" * 201])
def test_what_shows_other_text_than_there_is_is_none(word):
    assert fault(word) is not None
