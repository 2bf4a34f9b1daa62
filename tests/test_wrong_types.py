"""Whatever is given to the public functions, the answer is a result or a FeedsegError in one short line."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image

from feedseg import CalibratedFeedback, FeedsegError, FSAFeedback, Segmenter, Settings, Vocabulary
from feedseg.labelmap import LabelMap

IMAGE = np.full((32, 32, 3), 128, np.uint8)
LONGEST_LINE = 600  # characters of an error, whatever was given


def _truncated() -> Image.Image:
    """A picture whose file ends in the middle, not decoded yet."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(file, "PNG")
    return Image.open(io.BytesIO(file.getvalue()[:2000]))


def _closed() -> Image.Image:
    image = Image.new("RGB", (8, 8))
    image.close()
    return image


WRONG: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "five": lambda: 5,
    "fraction": lambda: 3.5,
    "nan": lambda: float("nan"),
    "huge": lambda: 10**400,
    "minus": lambda: -1,
    "true": lambda: True,
    "empty": lambda: "",
    "x": lambda: "x",
    "null": lambda: "a\0b",
    "braces": lambda: "{0.__class__}",
    "long": lambda: "y" * 1_000_000,
    "bytes": lambda: b"x",
    "list": list,
    "numbers": lambda: [1, 2],
    "nested": lambda: [[["x"]]],
    "tuple": lambda: (1, "x"),
    "dict": lambda: {"a": 1},
    "set": lambda: {"a", "b"},
    "object": object,
    "type": lambda: object,
    "truncated": _truncated,
    "closed": _closed,
    "flat": lambda: np.zeros(5),
    "floats": lambda: np.zeros((4, 4, 3)),
    "no pixels": lambda: np.zeros((0, 4, 3), np.uint8),
}


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load("mini", host="clip")


def _used(result: Any) -> None:
    """Take what is lazy, and all of it."""
    if isinstance(result, Iterator):
        for _ in zip(result, range(3), strict=False):
            pass


def _calls(one: Segmenter) -> Iterable[tuple[str, Callable[[Any], Any]]]:
    """Every public function with each of its arguments left open."""
    load = partial(Segmenter.load)
    yield "load", load
    for name in (
        "host", "proxy", "feedback", "settings", "device", "dtype", "class_token", "residual", "batch_size", "speed",
    ):  # fmt: skip
        yield f"load {name}", lambda value, name=name: load("mini", **{"host": "clip", name: value})
    yield "call image", lambda value: one(value, "red, blue")
    yield "call images", lambda value: one([value], "red, blue")
    yield "call words", lambda value: one(IMAGE, value)
    yield "call pair", lambda value: one.segment_many([(IMAGE, value)])
    yield "segment_many", lambda value: one.segment_many(value, "red, blue")
    yield "segment_many words", lambda value: one.segment_many([IMAGE], value)
    yield "encode", one.encode
    yield "encode settings", lambda value: one.encode(IMAGE, settings=value)
    encoded = one.encode(IMAGE)
    yield "encoded segment", encoded.segment
    yield "embed", one.embed
    yield "resolved", one.resolved
    yield "call settings", lambda value: one(IMAGE, "red, blue", settings=value)
    for name in ("feedback", "refiners", "scores"):
        yield f"call {name}", lambda value, name=name: one(IMAGE, "red, blue", **{name: value})
        yield f"encoded {name}", lambda value, name=name: encoded.segment("red, blue", **{name: value})
    for name in ("classes", "background", "threshold", "templates"):
        yield f"vocabulary {name}", lambda value, name=name: Vocabulary(**{"classes": ["a", "b"], name: value})
    for name in ("labels", "background", "threshold", "templates"):
        yield f"line {name}", lambda value, name=name: Vocabulary.parse_line(**{"labels": "a, b", name: value})
    yield "parse", Vocabulary.parse
    yield "read", Vocabulary.read
    yield "of", Vocabulary.of
    yield "with_threshold", Vocabulary(["a", "b"]).with_threshold
    for name in ("short_side", "max_long_side", "window", "stride", "logit_scale", "softmax"):
        yield f"settings {name}", lambda value, name=name: Settings(**{name: value})
    for kind in (FSAFeedback, CalibratedFeedback):
        for name in kind.__dataclass_fields__:
            yield f"{kind.__name__} {name}", lambda value, kind=kind, name=name: kind(**{name: value})
    result = one(IMAGE, "red, blue")
    for name in ("index", "mask", "crop", "with_colours"):
        yield name, getattr(result, name)
    yield "getitem", lambda value: result[value]
    yield "in", lambda value: value in result
    yield "crop margin", lambda value: result.crop("red", value)
    yield "min_area", lambda value: result.with_regions(min_area=value)
    yield "overlay longest", lambda value: result.overlay(longest=value)
    yield "form", result.to_transformers
    for name in ("labels", "names", "synonyms", "colours", "models", "settings"):
        fields = {"labels": np.zeros((2, 2), np.uint8), "names": ("a", "b")}
        yield f"label map {name}", lambda value, name=name, fields=fields: LabelMap(**{**fields, name: value})


def _raw_errors(one: Segmenter) -> Iterator[str]:
    for function, call in _calls(one):
        for kind, make in WRONG.items():
            value = make()
            try:
                _used(call(value))
            except FeedsegError as error:
                text = str(error)
                if len(text) > LONGEST_LINE or "\n" in text:
                    yield f"{function}({kind}): {len(text)} characters: {text[:100]!r}"
            except Exception as error:
                yield f"{function}({kind}): {type(error).__name__}: {str(error)[:100]}"


def test_no_raw_errors(segmenter: Segmenter):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert list(_raw_errors(segmenter)) == []
