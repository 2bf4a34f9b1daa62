"""What a single image file may cost."""

from __future__ import annotations

from dataclasses import dataclass

from feedseg.errors import FeedsegError, InvalidValueError, checked_count, checked_number

PIXEL_BYTES = 40  # of memory that decoding takes for a pixel at most: 32 bits a number, copies upright and converted
SPARE_BYTES = 2**30  # for libraries, and the stacks of a decoder's threads


@dataclass(frozen=True)
class FileLimits:
    """Bounds of one image file: one that exceeds them fails, and no other image does."""

    pixels: int = 120_000_000  # telephones and medium format have 108 million
    bytes: int = 1_000_000_000  # of the file
    seconds: float = 60.0  # to decode it, where that is done in a process of its own: see `feedseg.io.isolated`

    def __post_init__(self) -> None:
        checked_count(self.pixels, "the most pixels of a file", most=10**12)
        checked_count(self.bytes, "the most bytes of a file", most=10**15)
        if checked_number(self.seconds, "the most seconds for a file") <= 0:
            raise InvalidValueError(f"the most seconds for a file are a positive number, not {self.seconds:g}")

    def memory(self, number: int) -> int:
        """Bytes of memory that a file of so many bytes may take: enough for any image within the limits."""
        return SPARE_BYTES + 3 * number + PIXEL_BYTES * self.pixels

    def check_bytes(self, number: int, name: str) -> None:
        """Raises FeedsegError where a file has more bytes."""
        if number > self.bytes:
            raise FeedsegError(
                f"{name} has {number / 1e6:,.4g} MB, and the limit is {self.bytes / 1e6:,.4g} MB: raise it by "
                "--max-bytes"
            )


class TooManyPixelsError(FeedsegError):
    """An image has more pixels than it may."""

    def __init__(self, text: str, pixels: int) -> None:
        super().__init__(text)
        self.pixels = pixels


class TooSlowError(FeedsegError):
    """An image takes longer to decode than it may."""
