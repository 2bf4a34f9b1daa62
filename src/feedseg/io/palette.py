"""Colours that mean a class: the same word has the same one in every run, whatever else is asked for.

Common words have colours that were chosen far apart, for colour-blind people too; every other word has one that follows
from its letters. There are more words than colours that anyone can tell apart: what is too alike in one picture is told
apart by a pattern (`feedseg.io.patterns`).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np
from PIL import ImageColor

from feedseg.errors import FeedsegError

Colour = tuple[int, int, int]

BACKGROUND: Colour = (0x8C, 0x8C, 0x8C)
# Blue, orange, teal, burgundy, yellow, violet, lilac, sky, olive, magenta, found by annealing from hand-picked hues.
# The closest two of the first eight are 12.5 apart (Oklab distance x 100), of all ten 12.2, to the normal eye and in
# every simulation below; by the same measure the closest two of the Okabe-Ito palette are 7.6 apart.
_DESIGNED = np.array([*bytes.fromhex("2461F5FF7F0A3DBEAA8C1040FEDE3D58089FCD86FF8EDEFF637200C8329B")]).reshape(-1, 3)
# Colours nearer than this by `distances` need a pattern; the closest two of the ten above are 0.076 apart by it.
TOO_CLOSE = 0.07
_LIGHT = 0.6  # how much lightness counts there: the photograph below the colours has light and shade of its own
# How linear RGB looks to the normal eye and without the long, middle or short cones (Machado, Oliveira and Fernandes,
# "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1).
_VISIONS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
# Linear sRGB to cones, roots of cones to Oklab (Björn Ottosson, "A perceptual color space for image processing", 2020).
_CONES = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]])
_OKLAB = np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])


def class_colours(names: Sequence[str], background: bool, chosen: Mapping[str, Colour] | None = None) -> np.ndarray:
    """One colour per class, (classes, 3) uint8 RGB, all different.

    A colour depends on the class's name alone: not on case, Unicode form, spaces and hyphens, nor on the other classes.
    Only where two classes would have the very same one, the later gets the next that is free.

    Args:
        names: of the classes.
        background: the first is what is none of the others, and grey.
        chosen: other colours for some of the classes, by their names.

    Raises:
        FeedsegError: two classes were given the same colour.
    """
    fixed = {name: colour for name, colour in (chosen or {}).items() if name in names}
    taken: dict[Colour, str] = {}
    for name, colour in fixed.items():
        if taken.setdefault(colour, name) != name:
            raise FeedsegError(f"{taken[colour]} and {name} were both given the colour {hexadecimal(colour)}")
    colours = []
    for index, name in enumerate(names):
        if (colour := fixed.get(name)) is None:
            colour = BACKGROUND if background and index == 0 else colour_of(name)
            while colour in taken:
                colour = _next(colour)
            taken[colour] = name
        colours.append(colour)
    return np.array(colours, np.uint8).reshape(-1, 3)


def colour_of(name: str) -> Colour:
    """The colour that a word has: that of its line among the common words, or one that follows from its letters."""
    word = _key(name)
    if (place := _common().get(word)) is not None:
        r, g, b = far_apart(len(_common_lines()))[place].tolist()
        return r, g, b
    return next(_derived(word))


@lru_cache
def far_apart(count: int) -> np.ndarray:
    """Colours for what has no words, or words that are nobody's: ten designed, then each the farthest from all before.

    (count, 3) uint8, read-only. Those of fewer are the first of those of more; up to some thousand all are different.
    """
    steps = np.arange(0, 256, 15)
    candidates = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    pool = np.concatenate([[BACKGROUND], _DESIGNED, candidates[_fits(candidates)]])
    # Far is what is far to all four eyes, where the normal one, having most room, is asked for twice the distance: with
    # equal parts the other three would soon have used up what there is, and everyone would get similar colours.
    seen = _seen(pool) * np.array([0.5, 1, 1, 1], np.float32)[:, None]
    nearest = np.full(len(pool), np.inf, np.float32)
    chosen = []
    for turn in range(1 + count):
        chosen.append(turn if turn <= len(_DESIGNED) else int(nearest.argmax()))
        gaps = np.square(seen - seen[..., chosen[-1], None]).sum(axis=0)
        nearest = np.minimum(nearest, gaps.min(axis=0))
    colours = pool[chosen[1:]].astype(np.uint8)
    colours.flags.writeable = False
    return colours


def recoloured(
    names: Sequence[str], background: bool, old: Sequence[Colour], chosen: Mapping[str, str | Colour]
) -> tuple[Colour, ...]:
    """The classes' colours with others for some of them.

    Args:
        names: of the classes.
        background: the first is what is none of the others.
        old: the colours so far; none for those of `class_colours`.
        chosen: by the classes' names, which need not be written exactly so; what `parse_colour` takes.

    Raises:
        FeedsegError: no such class, no such colour, one colour for two classes.
    """
    new = _by_class(chosen.items(), names)
    # Where a class of old had what is now another's, it gets a free one.
    kept = {name: colour for name, colour in zip(names, old, strict=False) if colour not in new.values()}
    return tuple((int(r), int(g), int(b)) for r, g, b in class_colours(names, background, kept | new))


def parse_colours(text: str, names: Sequence[str]) -> dict[str, Colour]:
    """Colours for classes from "dog=#ff0000, sky=skyblue" or as many lines; by the classes' names.

    Raises:
        FeedsegError: no class of that name, no such colour, a class or a colour twice.
    """
    pairs = []
    for entry in _entries(text):
        word, sign, value = entry.rpartition("=")
        if not sign:
            raise FeedsegError(f'{entry!r} is no colour for a class: write "dog=#ff0000, sky=skyblue"')
        pairs.append((word.strip(), value))
    colours = _by_class(pairs, names)
    class_colours(names, False, colours)  # its own complaint
    return colours


def _by_class(pairs: Iterable[tuple[str, str | Sequence[int]]], names: Sequence[str]) -> dict[str, Colour]:
    """Colours by the names of the classes that are meant."""
    known = {_key(name): name for name in names} | {name: name for name in names}
    colours: dict[str, Colour] = {}
    for word, colour in pairs:
        name = known.get(word, known.get(_key(word)))
        if name is None:
            asked = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
            raise FeedsegError(f"a colour for {word!r}, which is none of the classes: {asked}")
        if name in colours:
            raise FeedsegError(f"two colours for {name!r}: leave one out")
        colours[name] = parse_colour(colour)
    return colours


def parse_colour(text: str | Sequence[int]) -> Colour:
    """A colour from what Pillow knows (#f00, #ff0000, rgb(255, 0, 0), a name of CSS) or three numbers of 0 to 255.

    Raises:
        FeedsegError: it is none.
    """
    if not isinstance(text, str):
        values = tuple(text)
        if len(values) != 3 or not all(0 <= value <= 255 and value == int(value) for value in values):
            raise FeedsegError(f"a colour is three numbers of 0 to 255, not {values}")
        return int(values[0]), int(values[1]), int(values[2])
    try:
        colour = ImageColor.getrgb(text.strip())
    except ValueError as error:
        raise FeedsegError(f"no colour {text.strip()!r}: write #ff0000 or a name of CSS, like skyblue") from error
    if len(colour) == 4 and colour[3] != 255:
        raise FeedsegError(f"the colour {text.strip()!r} is transparent: leave the last two digits out")
    return colour[:3]


def hexadecimal(colour: Sequence[int]) -> str:
    """A colour as HTML writes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def distances(colours: np.ndarray) -> np.ndarray:
    """How far every two colours are apart on a photograph, to the eye that has the most trouble with them: (n, n).

    Distances in Oklab, where lightness counts less. The eyes are the normal one and those without the long, the middle
    or the short cones.
    """
    seen = _seen(np.asarray(colours).reshape(-1, 3)) * np.array([_LIGHT, 1, 1], np.float32)[:, None, None]
    return np.sqrt(np.square(seen[..., None] - seen[..., None, :]).sum(axis=0).min(axis=0))


def _entries(text: str) -> Iterator[str]:
    """What stands between commas or on lines, but not within brackets."""
    depth, entry = 0, ""
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "\n" or (character == "," and depth <= 0):
            yield from filter(None, [entry.strip()])
            depth, entry = 0, ""
        else:
            entry += character
    yield from filter(None, [entry.strip()])


def _key(name: str) -> str:
    """What of a name decides its colour."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(character for character in folded if not character.isspace() and character not in "-_")


@lru_cache
def _common_lines() -> tuple[tuple[str, ...], ...]:
    lines = (files("feedseg.io") / "common_words.txt").read_text(encoding="utf-8").splitlines()
    return tuple(tuple(map(_key, line.split(";"))) for line in lines if line and not line.startswith("#"))


@lru_cache
def _common() -> Mapping[str, int]:
    """The line of every common word."""
    return {word: place for place, words in enumerate(_common_lines()) for word in words}


def _derived(word: str) -> Iterator[Colour]:
    """Colours that follow from a word, for ever: those that fit among all that its digests spell."""
    count = 0
    while True:
        digest = hashlib.blake2b(f"{count} {word}".encode(errors="surrogatepass"), digest_size=48).digest()
        triples = np.frombuffer(digest, np.uint8).reshape(-1, 3)
        yield from ((r, g, b) for r, g, b in triples[_fits(triples)].tolist())
        count += 1


def _next(colour: Colour) -> Colour:
    """A colour beside it; after as many as there are, every one has come."""
    packed = (int.from_bytes(bytes(colour), "big") + 5) % (1 << 24)
    return packed >> 16, packed >> 8 & 255, packed & 255


def _fits(colours: np.ndarray) -> np.ndarray:
    """Neither dark nor nearly white, which photographs are full of, nor as grey as the background: (n,) bool."""
    lightness, *hue = _seen(colours, _VISIONS[:1])[:, 0]
    return (lightness > 0.45) & (lightness < 0.92) & (np.hypot(*hue) > 0.09)


def _seen(colours: np.ndarray, visions: np.ndarray = _VISIONS) -> np.ndarray:
    """(n, 3) sRGB colours, 0 to 255, as types of colour vision see them in Oklab: (3, types, n) float32."""
    values = colours / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    simulated = np.clip(linear @ visions.swapaxes(1, 2), 0, 1)
    oklab = np.moveaxis(np.cbrt(simulated @ _CONES.T) @ _OKLAB.T, -1, 0)
    return np.ascontiguousarray(oklab.round(4), np.float32)  # rounded: no machine's last digit shall choose a colour
