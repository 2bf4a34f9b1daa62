import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageColor

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.io.palette import (
    TOO_CLOSE,
    class_colours,
    colour_of,
    distances,
    far_apart,
    parse_colour,
    parse_colours,
    recoloured,
)

GREY = (0x8C, 0x8C, 0x8C)
# Not the package's simulation, but the older one of Viénot, Brettel and Mollon (1999), for linear RGB.
EYES = {
    "normal": np.eye(3),
    "protan": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "deutan": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
    "tritan": np.array([[1, 0.14461, -0.14461], [0, 0.85924, 0.14076], [0, 0.85924, 0.14076]]),
}
OKABE_ITO = ["000000", "E69F00", "56B4E9", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7"]
# The first ten lines of the common words, which everybody's pictures have.
EVERYDAY = ["water", "person", "tree", "building", "dog", "road", "wall", "sky", "grass", "car"]
ANY = st.text(min_size=1, max_size=20)


def of_hex(colours: list[str]) -> np.ndarray:
    return np.array([tuple(bytes.fromhex(colour)) for colour in colours])


def nearest_pair(colours: np.ndarray, eye: np.ndarray) -> float:
    """The smallest CIE 1976 colour difference between any two sRGB colours, as the eye sees them."""
    values = np.asarray(colours) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ eye.T, 0, 1)
    xyz = linear @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    xyz /= np.array([0.9505, 1, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    lab = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
    between = np.linalg.norm(lab[:, None] - lab, axis=-1)
    return float(between[np.triu_indices(len(lab), 1)].min())


@pytest.mark.parametrize("eye", EYES)
def test_everyday_words_are_far_apart_to_every_eye(eye: str) -> None:
    # 2.3 is just noticeable. The reference for colour-blind-safe palettes comes to 10 to the worst of these eyes, the
    # first eight of the "Tableau" palette, which is not made for them, to 5.
    assert nearest_pair(class_colours(EVERYDAY[:8], background=False), EYES[eye]) > 15
    assert nearest_pair(far_apart(20), EYES[eye]) > (16 if eye == "normal" else 5)


def test_the_first_eight_beat_okabe_and_ito() -> None:
    colours = class_colours(EVERYDAY[:8], False)
    ours, theirs = (min(nearest_pair(p, eye) for eye in EYES.values()) for p in (colours, of_hex(OKABE_ITO)))
    assert ours > theirs > 10


def test_what_counts_as_too_close() -> None:
    """Not the ten designed colours; what differs in light alone, as much as a photograph's own light and shade does."""
    between = distances(far_apart(10))
    assert TOO_CLOSE < between[np.triu_indices(10, 1)].min() < TOO_CLOSE + 0.01
    assert (
        distances(np.array([[200, 0, 0], [170, 0, 0]]))[0, 1]
        < TOO_CLOSE
        < distances(of_hex(["ff0000", "0000ff"]))[0, 1]
    )
    person_and_door = distances(class_colours(["person", "door"], False))[0, 1]
    assert person_and_door < TOO_CLOSE, "orange and brown, which without red cones are two olives"


def test_colours_for_nothing_in_particular_are_prefixes_of_one_another() -> None:
    longest = far_apart(1024)
    assert (longest.shape, longest.dtype) == ((1024, 3), np.uint8)
    assert len(np.unique(longest, axis=0)) == 1024
    assert GREY not in map(tuple, longest.tolist())
    for count in (0, 1, 9, 11, 150):
        np.testing.assert_array_equal(far_apart(count), longest[:count])


def test_a_colour_is_the_words_whatever_else_is_asked_for() -> None:
    few = class_colours(["dog", "zorblax"], False)
    many = class_colours(["background", "zorblax", "cat", "plain", "dog"], True)
    np.testing.assert_array_equal(few, many[[4, 1]])
    assert tuple(many[0].tolist()) == GREY


def test_colours_are_for_ever() -> None:
    """What a picture of last year has: the numbers may never change."""
    words = {"dog": "fede3d", "Sky": "8edeff", "zorblax": "4bf816", "猫": "f13576"}
    assert {word: bytes(colour_of(word)).hex() for word in words} == words


def test_another_process_gives_the_same_colours() -> None:
    program = "from feedseg.io.palette import colour_of; print(*colour_of('an unheard-of word'))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert tuple(map(int, run.stdout.split())) == colour_of("an unheard-of word")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Dog", " dog "), ("potted plant", "pottedplant"), ("T-shirt", "t shirt"), ("é", "e\u0301"), ("ＤＯＧ", "dog")],
)
def test_how_a_word_is_written_does_not_change_its_colour(one: str, other: str) -> None:
    assert colour_of(one) == colour_of(other)


def test_synonyms_among_the_common_words_share_their_colour() -> None:
    assert colour_of("aeroplane") == colour_of("airplane") != colour_of("boat")


@pytest.mark.parametrize("benchmark", ["voc21", "cityscapes", "ade20k", "coco-stuff", "context59", "coco-object"])
def test_no_benchmark_needs_to_shift_a_colour(benchmark: str) -> None:
    """Of two common words in one vocabulary none gives way to the other."""
    names = [words[0] for words in load_benchmark(benchmark).classes]
    colours = class_colours(names, False)
    assert len(np.unique(colours, axis=0)) == len(names)
    assert [colour_of(name) for name in names] == [tuple(colour) for colour in colours.tolist()]


@given(st.lists(ANY, unique=True, max_size=40), st.booleans())
def test_no_two_classes_have_the_very_same_colour(names: list[str], background: bool) -> None:
    colours = class_colours(names, background)
    assert colours.shape == (len(names), 3)
    assert len(np.unique(colours, axis=0)) == len(names)


@given(ANY)
def test_every_word_has_a_colour_that_shows(name: str) -> None:
    assert np.ptp(colour_of(name)) > 25, "nearly grey"
    assert max(colour_of(name)) > 60


def test_the_later_of_two_that_are_the_same_gives_way_a_little() -> None:
    first, second, third = class_colours(["aeroplane", "airplane", "plane"], False).astype(int)
    assert tuple(first.tolist()) == colour_of("aeroplane")
    for one, other in pairwise([first, second, third]):
        assert 0 < np.abs(one - other).sum() < 300
    np.testing.assert_array_equal(class_colours(["aeroplane", "airplane"], False)[1], second)


def test_the_largest_vocabulary() -> None:
    colours = class_colours([str(number) for number in range(1 << 16)], True)
    assert len(np.unique(colours, axis=0)) == 1 << 16


def test_colours_that_were_chosen() -> None:
    names = ["background", "dog", "sky", "cat"]
    colours = class_colours(names, True, {"dog": (255, 0, 0), "cat": GREY})
    assert colours[1].tolist() == [255, 0, 0]
    assert colours[3].tolist() == list(GREY)
    assert 0 < np.abs(colours[0].astype(int) - GREY).sum() < 10, "the background gives way"
    np.testing.assert_array_equal(colours[2], colour_of("sky"))


@pytest.mark.parametrize(
    "text",
    [
        "dog=#ff0000, sky=skyblue",
        "dog = #F00\n\nSky=SkyBlue\n",
        "dog=rgb(255, 0, 0), sky=rgb(135, 206, 235),",
        "DOG=hsl(0, 100%, 50%)\nsky=#87ceeb",
    ],
)
def test_colours_as_people_write_them(text: str) -> None:
    assert parse_colours(text, ["sky", "dog"]) == {"dog": (255, 0, 0), "sky": ImageColor.getrgb("skyblue")}


def test_a_name_with_an_equals_sign_or_a_comma_in_its_colour() -> None:
    assert parse_colours("a=b=red", ["a=b"]) == {"a=b": (255, 0, 0)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("dgo=red", "a colour for 'dgo', which is none of the classes: dog, cat"),
        ("dog=rad", "no colour 'rad': write #ff0000 or a name of CSS"),
        ("dog", "'dog' is no colour for a class"),
        ("dog=red, Dog=blue", "two colours for 'dog'"),
        ("dog=red, cat=#f00", "dog and cat were both given the colour #ff0000"),
        ("dog=#ff000080", "is transparent"),
    ],
)
def test_what_is_wrong_with_colours_is_said_in_a_line(text: str, complaint: str) -> None:
    with pytest.raises(FeedsegError) as caught:
        parse_colours(text, ["dog", "cat"])
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("colour", [(1, 2), (1, 2, 256), (1, 2, -1), (0.5, 1, 1)])
def test_three_numbers_are_a_colour_and_others_are_not(colour: tuple[int, ...]) -> None:
    assert parse_colour((1, 2, 3)) == (1, 2, 3)
    with pytest.raises(FeedsegError, match="three numbers of 0 to 255"):
        parse_colour(colour)


def test_one_change_after_the_other() -> None:
    names = ("dog", "cat", "sky")
    once = recoloured(names, False, (), {"dog": "red"})
    twice = recoloured(names, False, once, {"cat": "#ff0000", "dog": "#00f"})
    assert twice == ((0, 0, 255), (255, 0, 0), colour_of("sky"))
    taken = recoloured(names, False, once, {"cat": "red"})
    assert taken == (colour_of("dog"), (255, 0, 0), colour_of("sky"))
