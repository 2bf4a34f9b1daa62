"""Reading files within limits: in this process, or in processes of their own, so that a hostile one fails alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import SEEK_END
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedseg.io.decoders import open_regular
from feedseg.io.decoding import decode_image_file
from feedseg.io.images import RgbImage
from feedseg.io.isolated import IsolatedDecoder, decoded_image
from feedseg.io.limits import FileLimits

if TYPE_CHECKING:
    from feedseg.io.decoding import Answer


@dataclass(frozen=True)
class FileReader:
    """How files are read."""

    limits: FileLimits = field(default_factory=FileLimits)  # of a file
    decoder: IsolatedDecoder | None = None  # in whose processes they are read; None for this one

    def __call__(self, read: Callable[..., Answer], path: Path, **options: Any) -> Answer:
        """What a function finds in a file: what there is to say, and an array or None.

        Args:
            read: a function of a module, `read(file, name, max_pixels, **options)`.
            path: of the file.
            options: JSON.

        Raises:
            FeedsegError: the file cannot be read, or is beyond the limits.
        """
        if self.decoder is not None:
            return self.decoder.read(read, path, self.limits, **options)
        with open_regular(path) as file:
            self.limits.check_bytes(file.seek(0, SEEK_END), str(path))
            file.seek(0)
            return read(file, str(path), self.limits.pixels, **options)

    def image(self, path: Path) -> RgbImage:
        """The image of a file; see `feedseg.io.images.read_image`."""
        return decoded_image(self(decode_image_file, path), str(path))

    def interrupt(self) -> None:
        """See `IsolatedDecoder.interrupt`; what this process reads itself is read to its end."""
        if self.decoder is not None:
            self.decoder.interrupt()


HERE = FileReader()  # in this process, within the usual limits


@contextmanager
def isolated_reader(limits: FileLimits) -> Iterator[FileReader]:
    """Reads in processes of their own, which end with the block."""
    with IsolatedDecoder() as decoder:
        yield FileReader(limits, decoder)
