"""Items of one kind that are done by an executor of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from feedseg.engine.outcomes import Outcome
from feedseg.engine.segment import Segmented
from feedseg.engine.task import Executor
from feedseg.io.sources.base import Found, Job


@dataclass(frozen=True)
class Apart:
    """An executor that gives what was found of a kind to one executor, after all others have gone to another."""

    others: Executor[Job, Segmented]
    kind: type[Found]
    own: Executor[Job, Segmented]

    def map(self, items: Sequence[Job]) -> Iterator[Outcome[Job, Segmented]]:
        """See `feedseg.engine.task.Executor`."""
        yield from self.others.map([job for job in items if not isinstance(job.image, self.kind)])
        yield from self.own.map([job for job in items if isinstance(job.image, self.kind)])
