"""The scenes: what they show is what they say."""

from __future__ import annotations

import numpy as np
import pytest

from feedseg.evaluation.scenes import (
    BACKGROUNDS,
    COLOURS,
    COMBINATIONS,
    HELD_OUT,
    PATTERNS,
    SMALLEST_VISIBLE,
    SYNONYMS,
    TRAINED,
    Mention,
    Scene,
    Thing,
    draw_scene,
    held_out,
)
from feedseg.evaluation.scenes.shapes import OUTLINES
from feedseg.evaluation.scenes.textures import PATTERN_INK, SHADES, TEXTURES
from feedseg.evaluation.scenes.vocabulary import SHAPES


def mean_colour(scene: Scene, label: int) -> np.ndarray:
    return scene.image[scene.labels == label].mean(axis=0)


@pytest.mark.parametrize("seed", [0, 1, 123456789])
def test_a_seed_gives_one_scene(seed: int) -> None:
    first, second = draw_scene(seed), draw_scene(seed)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.labels, second.labels)
    assert first.things == second.things
    assert first.background == second.background
    assert not np.array_equal(first.image, draw_scene(seed + 1).image)


def test_a_generator_goes_on() -> None:
    rng = np.random.default_rng(0)
    assert not np.array_equal(draw_scene(rng).image, draw_scene(rng).image)


@pytest.mark.parametrize("size", [8, 40, 64, 96, 256, (1, 1), (48, 120), (130, 33)])
def test_any_size(size: int | tuple[int, int]) -> None:
    scene = draw_scene(3, size)
    height, width = (size, size) if isinstance(size, int) else size
    assert scene.image.shape == (height, width, 3)
    assert scene.image.dtype == np.uint8
    assert scene.labels.shape == (height, width)
    assert scene.labels.max() <= len(scene.things)


@pytest.mark.parametrize("seed", range(4))
def test_a_larger_size_shows_the_same(seed: int) -> None:
    small, large = draw_scene(seed, 64), draw_scene(seed, 192)
    assert [thing.name for thing in small.things] == [thing.name for thing in large.things]
    assert small.background == large.background
    assert (large.labels[1::3, 1::3] == small.labels).mean() > 0.98
    shrunk = large.image.reshape(64, 3, 64, 3, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small.image).mean() < 12


@pytest.mark.parametrize("colour", COLOURS)
def test_a_plain_thing_has_its_colour(colour: str) -> None:
    for seed in range(6):
        scene = draw_scene(seed, 96, (1, 1), [(colour, "plain")])
        if scene.things[0].visible > SMALLEST_VISIBLE:
            shade = np.array(SHADES[colour][0], float)
            assert np.abs(mean_colour(scene, 1) - shade).max() < 70  # the light may be dim
            assert np.corrcoef(mean_colour(scene, 1), shade)[0, 1] > 0.9 or colour in ("black", "white")


@pytest.mark.parametrize("pattern", [pattern for pattern in PATTERNS if pattern != "plain"])
def test_a_pattern_shows(pattern: str) -> None:
    """Light and dark in a patterned thing differ much more than in a plain one of the same seed."""
    spreads = [draw_scene(7, 96, (1, 1), [("blue", one)]) for one in ("plain", pattern)]
    plain, patterned = (scene.image[scene.labels == 1].std(axis=0).mean() for scene in spreads)
    assert patterned > 1.8 * plain


def test_labels_are_of_the_thing_in_front() -> None:
    """Drawing one thing more changes labels only to the new thing's."""
    for seed in range(5):
        scene = draw_scene(seed, 64, (4, 4))
        assert set(np.unique(scene.labels)) <= set(range(5))
        for label, thing in enumerate(scene.things, start=1):
            assert thing.visible == pytest.approx((scene.labels == label).mean())
    assert len(draw_scene(0, 64, (0, 0)).things) == 0


def test_the_hold_out() -> None:
    assert set(TRAINED) | set(HELD_OUT) == set(COMBINATIONS)
    assert not set(TRAINED) & set(HELD_OUT)
    assert len(HELD_OUT) == 13
    assert {colour for colour, _ in HELD_OUT} == set(COLOURS)
    assert {pattern for _, pattern in HELD_OUT} == set(PATTERNS)
    assert {colour for colour, _ in TRAINED} == set(COLOURS)
    assert {pattern for _, pattern in TRAINED} == set(PATTERNS)


def test_what_is_held_out_is_not_drawn_in_training() -> None:
    rng = np.random.default_rng(0)
    drawn = {(thing.colour, thing.pattern) for _ in range(300) for thing in draw_scene(rng, 16, (4, 4), TRAINED).things}
    assert drawn == set(TRAINED)
    assert not any(held_out(*pair) for pair in drawn)


def test_captions_mention_what_is_visible() -> None:
    rng = np.random.default_rng(0)
    words: set[str] = set()
    for _ in range(400):
        scene = draw_scene(rng, 24)
        said = scene.caption(rng)
        words |= set(said.text.split())
        assert said.text
        assert said.fits(scene.visible_things, scene.background)
        for mention in said.mentions:
            assert any(mention.fits(thing) for thing in scene.visible_things)
            for word in (mention.colour, mention.pattern):
                assert word is None or any(name in said.text for name in (word, *SYNONYMS.get(word, ())))
    assert words >= {*COLOURS, *PATTERNS, *BACKGROUNDS}
    assert any(shape in words for shape in SHAPES)


def test_a_full_caption_names_everything() -> None:
    rng = np.random.default_rng(1)
    scene = draw_scene(rng, 64, (3, 3))
    said = scene.caption(rng, full=True)
    assert len(said.mentions) == len(scene.visible_things)
    assert said.background == scene.background


def test_what_hardly_shows_is_not_mentioned() -> None:
    rng = np.random.default_rng(2)
    scenes = [draw_scene(rng, 32, (4, 4)) for _ in range(50)]
    assert any(len(scene.visible_things) < 4 for scene in scenes)
    for scene in scenes:
        assert all((scene.labels == 1 + scene.things.index(thing)).any() for thing in scene.visible_things)


def test_mentions_fit_what_they_say() -> None:
    thing = Thing("red", "striped", "star", 0.1)
    assert Mention("red", None).fits(thing)
    assert Mention(None, "striped", "star").fits(thing)
    assert not Mention("red", "dotted").fits(thing)
    assert not Mention("blue", None).fits(thing)


def test_every_word_can_be_drawn() -> None:
    assert set(OUTLINES) == set(SHAPES)
    assert set(PATTERN_INK) == set(PATTERNS)
    assert set(TEXTURES) == set(BACKGROUNDS)
    assert set(SHADES) == set(COLOURS)
