"""Segmenting rasters into a folder: band by band in constant memory, and going on where a run was ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feedseg.engine.contents import identity
from feedseg.engine.interrupts import interruptible, interruptible_each
from feedseg.engine.kept import stamp
from feedseg.engine.outcomes import Done, Failed, Outcome, explain
from feedseg.engine.raster_bands import count_bands, label_bands, raster_settings
from feedseg.engine.raster_parts import RasterParts
from feedseg.engine.segment import Segmented
from feedseg.errors import FeedsegError
from feedseg.files import write_atomically
from feedseg.io.output import Output
from feedseg.io.raster import Raster, RasterOptions, open_raster
from feedseg.io.raster.cog import NAMES_SUFFIX, names_file, write_cog
from feedseg.io.raster.cog import SUFFIX as LABELS
from feedseg.io.raster.gdal import load_rasterio
from feedseg.io.raster.geojson import SUFFIX as POLYGONS
from feedseg.io.raster.geojson import check_place, write_geojson
from feedseg.io.raster.geoparquet import SUFFIX as TABLE
from feedseg.io.raster.geoparquet import write_geoparquet
from feedseg.io.raster.legend import Legend
from feedseg.io.raster.overlay import SUFFIX as OVERLAY
from feedseg.io.raster.overlay import draw_overlay
from feedseg.io.raster.polygons import regions
from feedseg.io.raster.probe import probe
from feedseg.io.raster.record import SUFFIX as RECORD
from feedseg.io.raster.record import about_raster, encoded
from feedseg.io.reading import HERE, FileReader
from feedseg.io.sources.base import Job
from feedseg.labelmap import LabelMap
from feedseg.segmenter import Segmenter
from feedseg.vocabulary import Vocabulary

SUFFIXES = (LABELS, NAMES_SUFFIX, OVERLAY, RECORD, POLYGONS, TABLE)
FORMATS = ("labels", "overlay", "json", "geojson", "geoparquet")  # those of images that a raster has, too
Tell = Callable[[Job, int, int | None], object]  # how many bands are finished, of how many


@dataclass(frozen=True)
class SegmentRasters:
    """An executor that segments one raster after the other and saves what comes of it."""

    segmenter: Segmenter
    vocabulary: Vocabulary
    output: Output
    folder: Path  # of the results
    of: Mapping[str, Any]  # all that the results depend on but the rasters, as JSON
    options: RasterOptions = field(default_factory=RasterOptions)
    refiners: Sequence[Any] = ()
    tell: Tell = lambda job, done, total: None
    reader: FileReader = HERE  # with a decoder, a raster is read through by it before it is read here

    def map(self, items: Sequence[Job]) -> Iterator[Outcome[Job, Segmented]]:
        """See `feedseg.engine.task.Executor`."""
        for job in items:
            try:
                self._check(job)
                with interruptible():
                    digest = job.image.digest()
                    probe(job.image.path, self.options, self.reader)
                with open_raster(job.image.path, self.options) as raster:
                    if any(one.name == "geojson" for one in self.output.writers):
                        check_place(raster)
                    example, legend = self._legend()
                    of = {**self.of, "raster": digest}
                    name = identity(job.image, self.folder)
                    parts = RasterParts(self.folder, name, of, raster.size[1], legend.dtype)
                    self._segment(job, raster, parts)
                    outcome = Done(job, self._finish(job, raster, (example, legend), digest, parts))
            except Exception as error:
                yield Failed(job, explain(error))
            else:
                yield outcome
                parts.remove()  # once it is in the journal

    def _check(self, job: Job) -> None:
        """Raises FeedsegError where something is asked for that a raster does not have."""
        asked = (*self.output.writers, *self.output.exports)
        if others := [one.name for one in asked if one.name not in FORMATS]:
            raise FeedsegError(
                f"{job.name}: a raster is saved as {', '.join(FORMATS)}, not as {', '.join(dict.fromkeys(others))}: "
                "give its --format apart, or --no-raster"
            )
        regions = self.output.regions
        refused = [
            *self.options.refused,
            *(["--refiner"] if self.refiners else []),
            *(["--min-area"] if regions.min_area else []),
            *(["--fill-holes"] if regions.fill_holes else []),
            *(["--only-with"] if self.output.only_with else []),
            *(["--only-without"] if self.output.only_without else []),
        ]
        if refused:
            raise FeedsegError(
                f"{job.name}: {' and '.join(refused)} {'is' if len(refused) == 1 else 'are'} for whole images, and a "
                "raster is never held as a whole: leave it out, or give --no-raster; --scale resizes a raster"
            )

    def _legend(self) -> tuple[LabelMap, Legend]:
        """The names and colours that results have, as a label map of a single pixel and as a raster has them."""
        words = self.vocabulary
        example = LabelMap(
            labels=np.zeros((1, 1), np.uint8),
            names=words.names,
            background=words.has_background,
            threshold=words.threshold,
            synonyms=words.words,
        )
        example = self.output.clean(example)
        return example, Legend(example.names, example.palette, example.background)

    def _segment(self, job: Job, raster: Raster, parts: RasterParts) -> None:
        """Segment what no part has yet."""
        total = count_bands(raster, self.segmenter.settings)
        self.tell(job, parts.number, total)
        if parts.number == total:
            return
        bands = label_bands(self.segmenter, self.vocabulary, raster, first=parts.number, row=parts.row)
        for band in interruptible_each(bands):
            parts.write(band)
            self.tell(job, parts.number, total)

    def _finish(
        self, job: Job, raster: Raster, names: tuple[LabelMap, Legend], digest: str, parts: RasterParts
    ) -> Segmented:
        """Join the bands, trace the regions, write what there is to say; all files take their places together."""
        example, legend = names
        assert parts.areas is not None
        settings = raster_settings(self.segmenter.settings, self.options.fast)
        provenance = {
            "models": self.segmenter.provenance(),
            "settings": self.segmenter.describe(settings=settings) | self.options.describe(),
        }
        about = about_raster(raster, example, parts.areas, parts.confidence, provenance)
        wanted = {one.name for one in self.output.writers}
        files: dict[str, Path] = {}
        with ExitStack() as stack:

            def place(name: str, suffix: str) -> Path:
                """What to write a file to until all are written."""
                files[name] = path = job.folder / f"{job.stem}{suffix}"
                if path.is_dir():
                    raise FeedsegError(f"cannot write {path}: it is a folder")
                return stack.enter_context(write_atomically(path))

            place("raster", RECORD).write_text(encoded(about), encoding="utf-8", errors="backslashreplace")
            place("names", NAMES_SUFFIX).write_text(names_file(legend), encoding="utf-8")
            labels = place("labels", LABELS)
            write_cog(load_rasterio(), labels, interruptible_each(parts.labels()), raster, legend, parts.folder)
            if "overlay" in wanted:
                draw_overlay(place("overlay", OVERLAY), raster, labels, legend)
            leave_out = {legend.nodata} | ({0} if legend.background else set())
            if "geojson" in wanted:
                found = interruptible_each(regions(parts.labels(), leave_out))
                write_geojson(place("geojson", POLYGONS), found, raster, legend)
            if "geoparquet" in wanted:
                found = interruptible_each(regions(parts.labels(), leave_out))
                write_geoparquet(place("geoparquet", TABLE), found, raster, legend)
        return Segmented(job, about, digest, files, {path: stamp(path) for path in files.values()})
