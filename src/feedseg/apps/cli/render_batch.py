"""What `feedseg batch` says: failures as they come, and a summary."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import chain, repeat
from pathlib import Path

from feedseg.apps.cli.console import complain, console, facts, listed, one_line, plain_table, show
from feedseg.apps.cli.render_segment import understood
from feedseg.engine.outcomes import Failed, Outcome
from feedseg.engine.run import Totals
from feedseg.io.sources.base import Job
from feedseg.io.table import Row
from feedseg.vocabulary import Vocabulary

MOST = 20  # failures told at the end


class BatchSummary:
    """What the images of this run come to; those of earlier runs are only counted."""

    def __init__(self, vocabulary: Vocabulary, *, automatic: bool = False) -> None:
        self.failures: list[tuple[str, str]] = []  # image and reason
        self._vocabulary, self._automatic = vocabulary, automatic
        self._done = 0
        self._fractions: dict[str, float] = defaultdict(float)  # by class, summed over the images
        self._images: Counter[str] = Counter()  # by class, those that have it

    def add(self, outcome: Outcome[Job, Row]) -> None:
        """Count an image; a failure is told."""
        if isinstance(outcome, Failed):
            name = outcome.item.name
            self.fail(name, outcome.reason if outcome.reason.startswith(name) else f"{name}: {outcome.reason}")
            return
        self._done += 1
        for one in outcome.result["classes"]:
            self._fractions[one["name"]] += one["fraction"]
            self._images[one["name"]] += one["pixels"] > 0

    def fail(self, image: str, reason: str) -> None:
        """Count and tell a failure; the reason names the image."""
        self.failures.append((image, reason))
        complain(reason)

    def show(
        self, model: str, out: str, seconds: float, totals: Totals[Job], parts: int, skipped: Mapping[str, int]
    ) -> None:
        """The classes over this run's images, how the words were understood, what was made, what failed."""
        screen = console()
        if self._done:
            table = plain_table("class", "area", "images")
            found = [name for name in self._vocabulary.names if self._images[name]]
            for name in sorted(found, key=lambda name: -self._fractions[name]):
                table.add_row(one_line(name), f"{self._fractions[name] / self._done:.1%}", str(self._images[name]))
            for column in table.columns[1:]:
                column.justify = "right"
            show(screen, table)
        images = f"{self._done} image{'s' * (self._done != 1)}"
        before = f", {totals.skipped} of {totals.wanted} done before" if totals.skipped else ""
        rows = [
            ("words", understood(self._vocabulary, automatic=self._automatic)),
            ("model", model),
            ("done", f"{images} in {parts} part{'s' * (parts != 1)} → {out} in {seconds:.1f} s{before}"),
        ]
        if skipped:
            rows.append(("skipped", listed([f"{number} {kind}" for kind, number in skipped.items()])))
        reasons = [reason for _, reason in self.failures[:MOST]]
        if len(self.failures) > MOST:
            reasons.append(f"and {len(self.failures) - MOST} more")
        rows += list(zip(chain(("failed",), repeat("")), reasons, strict=False))
        show(screen, facts(rows))

    def exported(self, exports: Mapping[str, Path]) -> None:
        """Name the files that are one for all results."""
        if exports:
            show(console(), facts(zip(chain(("exported",), repeat("")), map(str, exports.values()), strict=False)))

    def stopped(self, totals: Totals[Job]) -> None:
        """Tell how far it came, if it ended before all images had their turn."""
        finished = f"{totals.done + totals.skipped} of {totals.wanted} images are finished"
        if totals.interrupted:
            complain(f"{'terminated' if totals.terminated else 'interrupted'}; {finished}: the same command goes on")
        elif totals.missing:
            complain(f"{totals.error or 'not all were tried'}; {finished}: the same command goes on")
        elif totals.error:
            complain(totals.error)
