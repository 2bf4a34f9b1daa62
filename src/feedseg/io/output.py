"""What is kept of every result of a run, and in which formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from feedseg.errors import FeedsegError
from feedseg.io.cleaning import Regions
from feedseg.io.exports.base import Export
from feedseg.io.formats import format_names, load_formats
from feedseg.io.palette import Colour, hexadecimal
from feedseg.io.results import Results
from feedseg.io.writers.base import Writer
from feedseg.io.writers.json import WRITER as RECORD
from feedseg.io.writers.labels import WRITER as LABELS
from feedseg.io.writers.save import DEFAULT_FORMATS, SavedFiles, load_writers, save

if TYPE_CHECKING:
    from feedseg.io.results import SavedResult
    from feedseg.labelmap import LabelMap
    from feedseg.segmentation import Segmentation

    AnyResult = TypeVar("AnyResult", bound=LabelMap)


@dataclass(frozen=True)
class Output:
    """How results become files; it pickles, so that workers save what they compute."""

    writers: tuple[Writer, ...]  # a file, or some, for every image
    exports: tuple[Export, ...] = ()  # a file for the run
    regions: Regions = field(default_factory=Regions)
    # Classes of which an image must have one, or none, for its result to be kept.
    only_with: tuple[str, ...] = ()
    only_without: tuple[str, ...] = ()
    colours: tuple[tuple[str, Colour], ...] = ()  # of the classes that have others than their words' own

    @classmethod
    def of(
        cls,
        formats: Iterable[str | Writer | Export] | None = None,
        *,
        regions: Regions | None = None,
        only_with: Iterable[str] = (),
        only_without: Iterable[str] = (),
        colours: Mapping[str, Colour] | None = None,
    ) -> Output:
        """With formats by their names, as "package.module:Name" or as objects; None for the default ones.

        A name may stand for a writer, an export or both. The JSON is always written, as it says whose the other files
        are, and where there is an export so are the labels, from which it is made.

        Raises:
            FeedsegError: there is no such format, or a package that it needs is not installed.
        """
        wanted = list(dict.fromkeys(DEFAULT_FORMATS if formats is None else formats))
        if not wanted:
            raise FeedsegError(f"no format to save in: there are {', '.join(format_names())}")
        writers: list[Writer] = []
        exports: list[Export] = []
        for one in wanted:
            found = load_formats(one)
            writers += [part for part in found if isinstance(part, Writer)]
            exports += [part for part in found if isinstance(part, Export)]
        for export in exports:
            export.check_installed()
        if twice := next((one for one in exports if [e.file for e in exports].count(one.file) > 1), None):
            raise FeedsegError(f"two of the formats write {twice.file}: leave one out")
        base = [LABELS, RECORD] if exports else [RECORD]
        writers += [writer for writer in base if writer not in writers]
        return cls(
            load_writers(writers),
            tuple(exports),
            regions or Regions(),
            tuple(only_with),
            tuple(only_without),
            tuple((colours or {}).items()),
        )

    @property
    def needs_scores(self) -> bool:
        """Whether a format saves the scores, so that results must be asked for them."""
        return any("scores" in writer.needs for writer in self.writers)

    @property
    def only_while_segmenting(self) -> list[str]:
        """The formats that saved results do not have all for."""
        return [writer.name for writer in self.writers if writer.needs & {"confidence", "scores"}]

    def check_classes(self, names: Sequence[str]) -> None:
        """Raises FeedsegError where a class of `only_with` or `only_without` is none of the names."""
        for name in (*self.only_with, *self.only_without):
            if name not in names:
                near = get_close_matches(name, names)
                hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names[:10])}"
                raise FeedsegError(f"--only-with and --only-without are classes of the words, not {name!r}: {hint}")

    def check_places(self, folder: Path) -> None:
        """Raises FeedsegError where a file of somebody else's is in an export's place."""
        for export in self.exports:
            export.check_place(folder)

    def clean(self, result: AnyResult) -> AnyResult:
        """The result as it is kept: without small regions and holes, and in the colours that were asked for."""
        regions = self.regions
        if regions.describe() and result.regions != regions:
            result = result.with_regions(
                min_area=regions.min_area, fill_holes=regions.fill_holes, connected=regions.connected
            )
        if any(result.palette[result.index(name)].tolist() != list(colour) for name, colour in self.colours):
            result = result.with_colours(dict(self.colours))
        return result

    def keeps(self, result: Segmentation | SavedResult) -> bool:
        """Whether a cleaned result has one of the classes that it must have, and none of those that it must not."""
        found = {name for name, pixels in result.pixels.items() if pixels}
        return not found.intersection(self.only_without) and (not self.only_with or bool(found & {*self.only_with}))

    def save(
        self, result: Segmentation | SavedResult, folder: Path, stem: str, *, only_own: bool = False
    ) -> SavedFiles | None:
        """Write a result's files; None where the result is not wanted. `only_own`: see `feedseg.io.writers.save.save`.

        Raises:
            FeedsegError: a file cannot be written, would replace the source, or is there and not ours.
        """
        result = self.clean(result)
        return save(result, folder, stem, self.writers, only_own=only_own) if self.keeps(result) else None

    def export(self, folder: Path, records: Iterable[Path]) -> Mapping[str, Path]:
        """Write what is one file for a whole run, from the JSON files of its results; by the format's name.

        The results are read one after the other, in the order of their paths. Without any, nothing is written.

        Raises:
            FeedsegError: a file cannot be read or written, or is there and not ours.
        """
        results = Results(records, folder, self.clean)
        return {export.name: export.write(results, folder) for export in self.exports if len(results)}

    def describe(self) -> dict[str, Any]:
        """All that decides what the files hold, as JSON has it: two runs that say the same write the same files."""
        about: dict[str, Any] = {"formats": [writer.name for writer in self.writers]}
        if self.exports:
            about["exports"] = [export.name for export in self.exports]
        about |= {"regions": regions} if (regions := self.regions.describe()) else {}
        about |= {"colours": {name: hexadecimal(colour) for name, colour in self.colours}} if self.colours else {}
        about |= {"only_with": list(self.only_with)} if self.only_with else {}
        return about | ({"only_without": list(self.only_without)} if self.only_without else {})
