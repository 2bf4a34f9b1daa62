"""What a writer is."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

from feedseg.errors import FeedsegError

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from feedseg.segmentation import Segmentation


class Writer(ABC):
    """One file format for results.

    A writer of one file for each image has `suffix` and `encode`, one of several overrides `files` and `suffixes`. A
    registered one is a file of this package that defines `WRITER`. It is imported by everything that lists formats, so
    what is slow to import is imported inside `encode`.
    """

    name: ClassVar[str]  # what it is called in `Segmentation.save(formats=[...])` and in `SavedFiles`
    suffix: ClassVar[str]  # what follows the stem in a file's name: ".labels.png"; of several files how all end
    description: ClassVar[str]  # half a line, for lists of formats
    # What it takes from a result beside the label map: "image", "confidence", "scores". Saved results have no
    # confidence and no scores, and an image only where the file is still there.
    needs: ClassVar[frozenset[str]] = frozenset()
    packages: ClassVar[tuple[str, ...]] = ()  # that `encode` imports, and `pip install feedseg[formats]` brings

    def encode(self, result: Segmentation) -> bytes:
        """What the file holds; the same bytes for the same result."""
        raise FeedsegError(f"the writer {type(self).__name__} has neither encode nor files: define one of them")

    def files(self, result: Segmentation) -> Mapping[str, bytes]:
        """What each file holds, by what follows the stem in its name: `suffix`, or ".word" and `suffix`."""
        return {self.suffix: self.encode(result)}

    def suffixes(self, names: Sequence[str]) -> tuple[str, ...]:
        """What can follow the stem for results with these classes."""
        return (self.suffix,)

    def recognises(self, path: Path) -> bool:
        """Whether a file beside a result's JSON can be this writer's; only names that others use too leave a doubt."""
        return True


def encoded(image: Image.Image, suffix: str, **options: Any) -> bytes:
    """The image in the format of a name's ending.

    A JPEG that Pillow writes into a file by itself is cut off, without an error, where the disk is full.
    """
    from PIL import Image

    Image.init()
    buffer = BytesIO()
    image.save(buffer, Image.EXTENSION[suffix.lower()], **options)
    return buffer.getvalue()


def png(image: Image.Image) -> bytes:
    """The image as a PNG."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
