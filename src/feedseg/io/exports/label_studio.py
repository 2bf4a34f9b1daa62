"""Tasks for Label Studio with brush masks as predictions, and the labelling interface that they need."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from feedseg.files import write_atomically
from feedseg.io.exports.base import Export, check_ours
from feedseg.io.objects import counted_objects

if TYPE_CHECKING:
    from feedseg.io.results import Results, SavedResult

CONFIG = "label-studio.xml"
SIZES = (3, 4, 8, 16)  # bits in which the length of a run is written, the shortest that suffices


class LabelStudioExport(Export):
    """`label-studio.json`, a task for each image, and `label-studio.xml`, the interface to set up first.

    Images are named as Label Studio's local storage has them: put the folder that holds them all into
    LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT. A brush for each class, or for each connected region where they are objects
    of their own.
    """

    name = "label-studio"
    file = "label-studio.json"
    description = "Label Studio's tasks with brush masks, and its interface"

    def write(self, results: Results, folder: Path) -> Path:
        """See `Export.write`."""
        path = super().write(results, folder)
        with write_atomically(folder / CONFIG) as temporary:
            temporary.write_text(self._interface(results), encoding="utf-8", newline="\n")
        return path

    def check_place(self, folder: Path) -> None:
        """See `Export.check_place`."""
        super().check_place(folder)
        check_ours(folder / CONFIG)

    def fill(self, results: Results, path: Path) -> None:
        """See `Export.fill`."""
        results.classes  # noqa: B018 -- one interface for all
        with path.open("w", encoding="utf-8", newline="\n") as file:
            separator = "["
            for number, (name, result) in enumerate(zip(results.pictures, results, strict=True), 1):
                task = {
                    "meta": {"made_by": "feedseg"},
                    "data": {"image": f"/data/local-files/?d={quote(name, errors='surrogateescape')}"},
                    "predictions": [
                        {
                            "model_version": f"feedseg {version('feedseg')}",
                            "score": result.mean_confidence,
                            "result": list(_brushes(result, number)),
                        }
                    ],
                }
                file.write(f"{separator}\n{json.dumps(task, separators=(',', ':'))}")
                separator = ","
            file.write("\n]\n")

    def _interface(self, results: Results) -> str:
        names, background = results.classes
        colours = next(iter(results)).palette.tolist()
        labels = [
            f'    <Label value={quoteattr(names[index])} background="#{bytes(colours[index]).hex()}"/>\n'
            for index in range(int(background), len(names))
        ]
        return (
            "<!-- written by feedseg -->\n<View>\n"
            '  <Image name="image" value="$image" zoom="true"/>\n'
            f'  <BrushLabels name="tag" toName="image">\n{"".join(labels)}  </BrushLabels>\n</View>\n'
        )


def _brushes(result: SavedResult, task: int) -> Iterator[dict[str, Any]]:
    width, height = result.size
    for number, one in enumerate(counted_objects(result, by_rows=True), 1):
        yield {
            "id": f"{task}-{number}",
            "type": "brushlabels",
            "from_name": "tag",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {"format": "rle", "rle": packed(one.counts), "brushlabels": [result.names[one.label]]},
        }


def packed(counts: Sequence[int]) -> list[int]:
    """Pixels outside, inside, outside, … as Label Studio's run lengths: bytes of the format of thi.ng's rle-pack.

    32 bits for the number of values, 5 for the bits of a value less one, four times 4 for the bits of a length less
    one, then for each run a 1, two bits for which of the four its length has, the length less one, and the value. A
    pixel is four values, red, green, blue and opacity, all 0 or 255.
    """
    bits = [f"{4 * sum(counts):032b}{8 - 1:05b}", *(f"{size - 1:04b}" for size in SIZES)]
    for turn, pixels in enumerate(counts):
        left = 4 * pixels
        while left:
            length = min(left, 1 << SIZES[-1])
            which = next(which for which, size in enumerate(SIZES) if length <= 1 << size)
            bits.append(f"1{which:02b}{length - 1:0{SIZES[which]}b}{255 * (turn % 2):08b}")
            left -= length
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


EXPORT = LabelStudioExport()
