"""Results as rows of a table in Parquet, an image each, from which its labels can be had again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from feedseg.errors import FeedsegError, first_line
from feedseg.io.objects import counted_objects

if TYPE_CHECKING:
    import pyarrow as pa

    from feedseg.segmentation import Segmentation

Row = Mapping[str, Any]
SUFFIX = ".parquet"


def check_pyarrow() -> None:
    """Raises FeedsegError where what reads and writes Parquet is not installed."""
    if find_spec("pyarrow") is None:
        raise FeedsegError("Parquet needs pyarrow: pip install 'feedseg[ray]'")


def schema() -> pa.Schema:
    """The columns. Counts are COCO's: pixels outside and inside in turn, down the columns."""
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    classes = pa.struct([("name", text), ("pixels", whole), ("fraction", real), ("confidence", real)])
    sides = [(side, pa.int32()) for side in ("x", "y", "width", "height")]
    objects = [("class", text), ("index", pa.int32()), ("pixels", whole), *sides, ("counts", pa.list_(pa.int32()))]
    return pa.schema(
        [
            ("key", text),  # the image's path or address
            ("sha256", text),  # of its bytes
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("confidence", real),  # the mean over the image
            ("classes", pa.list_(classes)),  # all that were asked for, in their order, the background first
            ("objects", pa.list_(pa.struct(objects))),  # the pixels of each, or of each region; not of the background
            ("background", pa.bool_()),  # whether the first class is one
            ("model", text),
            ("models", text),  # JSON: all of them with their revisions
            ("settings", text),  # JSON
            ("feedseg", text),  # the version
            ("stem", text),  # how the names of its files begin, where other formats were asked for
            ("notes", pa.list_(text)),
        ],
        metadata={"made by": "feedseg"},
    )


def row_of(result: Segmentation, key: str, digest: str, stem: str | None = None) -> Row:
    """A result as a row. See `schema`; `digest` is the SHA-256 of the image's bytes."""
    (width, height), names = result.size, result.names
    classes = zip(result.pixels.items(), result.area_fractions.values(), result.class_confidence, strict=True)
    models = {role: dict(one) for role, one in result.models.items()}
    return {
        "key": key,
        "sha256": digest,
        "width": width,
        "height": height,
        "confidence": result.mean_confidence,
        "classes": [
            {"name": name, "pixels": pixels, "fraction": fraction, "confidence": confidence}
            for (name, pixels), fraction, confidence in classes
        ],
        "objects": [
            {
                "class": names[one.label],
                "index": one.label,
                "pixels": one.pixels,
                **dict(zip(("x", "y", "width", "height"), one.box, strict=True)),
                "counts": one.counts,
            }
            for one in counted_objects(result)
        ],
        "background": result.background,
        "model": models.get("model", {}).get("name"),
        "models": json.dumps(models, sort_keys=True),
        "settings": json.dumps(dict(result.settings), sort_keys=True),
        "feedseg": version("feedseg"),
        "stem": stem,
        "notes": list(result.notes),
    }


def labels_of(row: Row) -> np.ndarray:
    """(height, width) uint16: the index of every pixel's class, from a row as pyarrow's `to_pylist` gives it."""
    labels = np.zeros(row["width"] * row["height"], np.uint16)
    for one in row["objects"]:
        places = np.cumsum(one["counts"])
        for begin, end in zip(places[0::2], places[1::2], strict=False):
            labels[begin:end] = one["index"]
    return labels.reshape(row["width"], row["height"]).T


def encoded(rows: Sequence[Row]) -> bytes:
    """A Parquet file of rows; the same bytes for the same rows."""
    import pyarrow as pa
    from pyarrow import parquet

    file = BytesIO()
    parquet.write_table(pa.Table.from_pylist([_shown(row) for row in rows], schema()), file, compression="zstd")
    return file.getvalue()


def columns_of(file: BinaryIO, names: Sequence[str], what: str) -> list[Row]:
    """Some columns of a Parquet file's rows; no others are read.

    Raises:
        FeedsegError: it is none, or has no such columns; the text begins with `what`.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.read_table(file, columns=[*names]).select([*names]).to_pylist()
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise FeedsegError(
            f"{what} is damaged ({first_line(error)}): delete it, and what it holds is computed again"
        ) from error


def _shown(value: Any) -> Any:
    """Names of files that are no UTF-8 hold what Parquet cannot: it is escaped."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {name: _shown(one) for name, one in value.items()}
    return (
        [_shown(one) for one in value] if isinstance(value, list) and value and not isinstance(value[0], int) else value
    )
