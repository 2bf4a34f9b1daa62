"""What `feedseg segment` says: every image as it is finished, and a summary of all."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from rich.text import Text

from feedseg.apps.cli.console import complain, console, facts, listed, one_line, plain_table, show, write
from feedseg.engine.outcomes import Failed, Outcome
from feedseg.engine.run import Totals
from feedseg.engine.segment import Segmented
from feedseg.io.sources.base import Job
from feedseg.segmenter import Segmenter
from feedseg.vocabulary import Vocabulary
from feedseg.vocabulary.background import STOCK


class SegmentSummary:
    """What all images so far come to; with `as_json` every one is a line on stdout, and the rest goes to stderr."""

    def __init__(self, vocabulary: Vocabulary, as_json: bool, *, automatic: bool = False) -> None:
        self.vocabulary = vocabulary
        self.automatic = automatic  # whether nobody has named the background
        self.as_json = as_json
        self.done = 0
        self.videos = 0  # of these
        self.rasters = 0  # of these
        self.standing = 0  # of these: their results were there already
        self.left_out = 0  # of these: neither saved nor counted, as --only-with and --only-without say
        self.failures: list[str] = []
        self.damaged: list[str] = []  # videos that end early, and why
        self._fractions: dict[str, float] = defaultdict(float)  # by class, summed over the images
        self._images: Counter[str] = Counter()  # by class, those that have it
        self._colours: dict[str, str] = {}

    def add(self, outcome: Outcome[Job, Segmented]) -> None:
        """Count an image and say what is to be said about it."""
        if isinstance(outcome, Failed):
            name = outcome.item.name
            self.fail(name, outcome.reason if outcome.reason.startswith(name) else f"{name}: {outcome.reason}")
            return
        self._count(outcome.result.told())

    def add_standing(self, about: Mapping[str, Any]) -> None:
        """Count an image whose results were there already, and say what is to be said about it."""
        self.standing += 1
        self._count(about)

    def _count(self, about: Mapping[str, Any]) -> None:
        self.done += 1
        self.videos += "video" in about
        self.rasters += "raster" in about
        self.left_out += not about["files"]
        if damage := about.get("video", {}).get("damage"):
            self.damaged.append(damage)
            complain(damage)
        for one in about["classes"] if about["files"] else ():
            self._fractions[one["name"]] += one["pixels"] / _pixels(about)
            self._images[one["name"]] += one["pixels"] > 0
            self._colours[one["name"]] = one["colour"]
        if self.as_json:
            write(json.dumps(about))

    def fail(self, image: str, reason: str) -> None:
        """Count and tell a failure; the reason names the image."""
        self.failures.append(reason)
        if self.as_json:
            write(json.dumps({"picture": image, "error": reason}))
        else:
            complain(reason)

    def stopped(self, totals: Totals[Job]) -> None:
        """Tell how far it came, if it ended before all images had their turn."""
        finished = f"{totals.done + totals.skipped} of {totals.wanted} images are finished"
        if totals.interrupted:
            complain(f"{'terminated' if totals.terminated else 'interrupted'}; {finished}")
        elif totals.missing:
            complain(f"{totals.error or 'not all were tried'}; {finished}: the same command goes on")

    def show(
        self, segmenter: str, out: Path, seconds: float, skipped: Mapping[str, int], exports: Mapping[str, Path]
    ) -> None:
        """The classes over all images; how the words were understood; what made the result; what failed and why."""
        screen = console(stderr=self.as_json)
        if kept := self.done - self.left_out:
            found = [name for name in self.vocabulary.names if self._images[name]]
            table = plain_table("class", "area", _kind(self.done, self.videos, self.rasters))
            for name in sorted(found, key=lambda name: -self._fractions[name]):
                swatch = Text.assemble(("■ " if screen.is_terminal else "", self._colours[name]), one_line(name))
                table.add_row(swatch, f"{self._fractions[name] / kept:.1%}", str(self._images[name]))
            for column in table.columns[1:]:
                column.justify = "right"
            show(screen, table)
        rows = [("words", understood(self.vocabulary, automatic=self.automatic))]
        if kept and (nowhere := [name for name in self.vocabulary.names if not self._images[name]]):
            rows.append(("nowhere", listed(nowhere)))
        images = self.done - self.videos - self.rasters
        parts = [
            f"{number} {kind}{'s' * (number != 1)}"
            for number, kind in ((images, "image"), (self.videos, "video"), (self.rasters, "raster"))
            if number or (kind == "image" and not self.done)
        ]
        before = f", {self.standing} of {self.done} done before" if self.standing else ""
        rows += [("model", segmenter), ("done", f"{' and '.join(parts)} → {out} in {seconds:.1f} s{before}")]
        if self.left_out:
            rows.append(("left out", f"{self.left_out} of them, as --only-with and --only-without say"))
        rows += list(zip(chain(("exported",), repeat("")), map(str, exports.values()), strict=False))
        if skipped:
            rows.append(("skipped", listed([f"{number} {kind}" for kind, number in skipped.items()])))
        rows += list(zip(chain(("damaged",), repeat("")), self.damaged, strict=False))
        rows += list(zip(chain(("failed",), repeat("")), self.failures, strict=False))
        show(screen, facts(rows))


def _pixels(about: Mapping[str, Any]) -> int:
    """How many pixels of a result have a class."""
    without = about.get("raster", {}).get("pixels_without_data", 0)
    return max(1, about["size"]["width"] * about["size"]["height"] - without)


def _kind(done: int, videos: int, rasters: int) -> str:
    """What results are of, in a heading."""
    return {videos: "videos", rasters: "rasters"}.get(done, "images")


def understood(vocabulary: Vocabulary, *, automatic: bool = False) -> str:
    """How the words were read: classes with their synonyms in brackets, the background, the threshold."""
    classes = [name if not others else f"{name} ({', '.join(others)})" for name, *others in vocabulary.classes]
    parts = [listed(classes, " · ")]
    if vocabulary.background:
        chosen = ", chosen automatically" * automatic
        parts.append(f"background{chosen}: {listed(vocabulary.background, most=len(STOCK))}")
    if vocabulary.threshold:
        parts.append(f"background wherever nothing reaches {vocabulary.threshold:g}")
    return " · ".join(parts)


def described(segmenter: Segmenter) -> str:
    """Model, host, proxy, feedback, device and number type."""
    models, settings = segmenter.provenance(), segmenter.describe()
    host = f"host {settings['host']}" + (f" with proxy {models['proxy']['name']}" if "proxy" in models else "")
    titles = {"NoneType": "without feedback", "FSAFeedback": "with the paper's feedback"}
    titles |= {"CalibratedFeedback": "with calibrated feedback"}
    name = type(segmenter.feedback).__name__
    feedback = titles.get(name, f"with {name}")
    return " · ".join((models["model"]["name"], host, feedback, f"{settings['device']}, {settings['dtype']}"))
