"""What a writer is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import BytesIO
from typing import TYPE_CHECKING, ClassVar

from PIL import Image

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation


class Writer(ABC):
    """One file format for results.

    A registered one is a file of this package that defines `WRITER`. It is imported by everything that lists formats,
    so what is slow to import is imported inside `encode`.
    """

    name: ClassVar[str]  # what it is called in `Segmentation.save(formats=[...])` and in `SavedFiles`
    suffix: ClassVar[str]  # what follows the stem in a file's name: ".labels.png"
    description: ClassVar[str]  # half a line, for lists of formats

    @abstractmethod
    def encode(self, result: Segmentation) -> bytes:
        """What the file holds; the same bytes for the same result."""


def png(image: Image.Image) -> bytes:
    """The image as a PNG."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
