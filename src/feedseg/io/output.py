"""What is kept of every result of a run, and in which formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedseg.io.palette import Colour, hexadecimal
from feedseg.io.writers.base import Writer
from feedseg.io.writers.save import SavedFiles, load_writers, save

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation


@dataclass(frozen=True)
class Output:
    """How results become files; it pickles, so that workers save what they compute."""

    writers: tuple[Writer, ...]  # a file, or some, for every image
    colours: tuple[tuple[str, Colour], ...] = ()  # of the classes that have others than their words' own

    @classmethod
    def of(cls, formats: Iterable[str] | None = None, colours: Mapping[str, Colour] | None = None) -> Output:
        """With formats by their names or as "package.module:Name"; None for the default ones. Colours by class.

        Raises:
            FeedsegError: there is no such format.
        """
        return cls(load_writers(None if formats is None else tuple(formats)), tuple((colours or {}).items()))

    def clean(self, result: Segmentation) -> Segmentation:
        """The result as it is kept: in the colours that were asked for."""
        return result.with_colours(dict(self.colours)) if self.colours else result

    def save(self, result: Segmentation, folder: Path, stem: str) -> SavedFiles | None:
        """Write a result's files; None where the result is not wanted.

        Raises:
            FeedsegError: a file cannot be written or would replace the source.
        """
        return save(self.clean(result), folder, stem, self.writers)

    def export(self, folder: Path, records: Iterable[Path]) -> Mapping[str, Path]:
        """Write what is one file for a whole run, from the JSON files of its results; by the format's name.

        Raises:
            FeedsegError: a file cannot be read or written.
        """
        return {}

    def describe(self) -> dict[str, Any]:
        """All that decides what the files hold, as JSON has it: two runs that say the same write the same files."""
        said: dict[str, Any] = {"formats": [writer.name for writer in self.writers]}
        if self.colours:
            said["colours"] = {name: hexadecimal(colour) for name, colour in self.colours}
        return said
