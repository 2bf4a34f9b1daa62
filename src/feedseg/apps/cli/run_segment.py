"""`feedseg segment`: pictures through the segmenter, results into a folder; one bad picture never ends the rest."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from rich.text import Text

from feedseg.apps.cli.console import (
    complain,
    console,
    explained,
    facts,
    is_live,
    listed,
    one_line,
    plain_table,
    progress,
    show,
    status,
    write,
)
from feedseg.apps.cli.inputs import Failure, Job
from feedseg.errors import FeedsegError
from feedseg.io.images import Picture, read_picture
from feedseg.segmentation import Segmentation
from feedseg.segmenter import Segmenter
from feedseg.vision.feedback.base import FeedbackAttention
from feedseg.vision.feedback.calibrated import CalibratedFeedback
from feedseg.vocabulary import Vocabulary

SUCCESS, SOME_FAILED, INTERRUPTED = 0, 1, 130


def load_segmenter(
    model: str, options: Mapping[str, Any], changes: Mapping[str, Any], speed: str = "protocol", *, visible: bool = True
) -> Segmenter:
    """The segmenter with a host's own settings and, on top of them, what the user wants otherwise."""
    with status(f"loading {model}", visible=visible):
        segmenter = Segmenter.load(model, **options)
    try:
        settings = replace(segmenter.settings, **changes)
    except ValueError as error:
        raise FeedsegError(f"--short-side, --window and --stride do not go together: {error}") from error
    if settings.window is None and "stride" in changes:
        raise FeedsegError("--stride is the step between windows, and there are none here: give --window too")
    segmenter.settings = settings.fast() if speed == "fast" else settings
    return segmenter


@dataclass
class Tally:
    """What all pictures so far come to."""

    done: int = 0
    shares: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    pictures: Counter[str] = field(default_factory=Counter)
    colours: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def add(self, about: Mapping[str, Any]) -> None:
        """Count one result, as `Segmentation.to_dict` has it."""
        self.done += 1
        for one in about["classes"]:
            self.shares[one["name"]] += one["share"]
            self.pictures[one["name"]] += one["pixels"] > 0
            self.colours[one["name"]] = one["colour"]


def segment_pictures(
    segmenter: Segmenter,
    vocabulary: Vocabulary,
    jobs: Sequence[Job],
    failures: Iterable[Failure],
    out: Path,
    *,
    as_json: bool,
) -> int:
    """Segment and save, say what came of it, and return the exit code.

    With `as_json` stdout gets one JSON line per picture, and all that is for people goes to stderr.
    """
    tally = Tally()
    started = time.monotonic()
    interrupted = False
    with progress(visible=not (as_json and is_live(console()))) as bar:
        words = bar.add_task("words", total=None, visible=False)
        segmenter.embed(vocabulary, lambda done, total: bar.update(words, completed=done, total=total, visible=True))
        bar.remove_task(words)
        pictures = bar.add_task("pictures", total=len(jobs))
        try:
            for failure in failures:
                _fail(tally, failure, as_json)
            for job, outcome in outcomes(segmenter, vocabulary, jobs):
                reason = _save(tally, job, outcome, as_json) if isinstance(outcome, Segmentation) else outcome
                if reason is not None:
                    _fail(tally, Failure(str(job.path), reason), as_json)
                bar.advance(pictures)
        except KeyboardInterrupt:
            interrupted = True
    _summarise(segmenter, vocabulary, tally, out, time.monotonic() - started, stderr=as_json)
    if interrupted:
        complain(f"interrupted; {tally.done} of {len(jobs)} pictures are finished")
        return INTERRUPTED
    return SOME_FAILED if tally.failures else SUCCESS


def outcomes(
    segmenter: Segmenter, vocabulary: Vocabulary, jobs: Iterable[Job]
) -> Iterator[tuple[Job, Segmentation | str]]:
    """Every picture with its segmentation or the reason why there is none.

    The segmenter may put several pictures into one batch; if that fails, each of them gets another try alone.
    """
    jobs = iter(jobs)
    unread: deque[tuple[Job, str]] = deque()
    handed: deque[tuple[Job, Picture]] = deque()

    def readable() -> Iterator[Picture]:
        for job in jobs:
            try:
                picture = read_picture(job.path)
            except Exception as error:  # decoders are many, and so is what they raise
                unread.append((job, _reason(job, error)))
            else:
                handed.append((job, picture))
                yield picture

    reason = None
    while True:
        try:
            for result in segmenter(readable(), vocabulary):
                while unread:
                    yield unread.popleft()
                yield handed.popleft()[0], result
        except Exception as error:
            if not handed:  # it is no picture's fault
                raise
            reason = _reason(handed[0][0], error)
        # Out here the exception is gone, and with it the memory that its traceback held on to.
        alone = len(handed) == 1
        while handed:
            job, picture = handed.popleft()
            yield job, reason if alone and reason else _segment_alone(segmenter, vocabulary, job, picture)
        yield from unread
        unread.clear()
        if reason is None:
            return
        reason = None


def _segment_alone(segmenter: Segmenter, vocabulary: Vocabulary, job: Job, picture: Picture) -> Segmentation | str:
    try:
        return segmenter(picture, vocabulary)
    except Exception as error:
        return _reason(job, error)


def _reason(job: Job, error: Exception) -> str:
    """What went wrong, in a line that names the picture."""
    text = str(error) if isinstance(error, FeedsegError) else explained(error)
    return text if text.startswith(str(job.path)) else f"{job.path}: {text}"


def _save(tally: Tally, job: Job, result: Segmentation, as_json: bool) -> str | None:
    """Write a result's files and count it; the reason if it cannot be written."""
    try:
        files = result.save(job.folder, job.stem)
        about = result.to_dict()
    except Exception as error:
        return _reason(job, error)
    tally.add(about)
    if as_json:
        write(json.dumps({**about, "files": {kind: str(path) for kind, path in files._asdict().items()}}))
    return None


def _fail(tally: Tally, failure: Failure, as_json: bool) -> None:
    tally.failures.append(failure)
    if as_json:
        write(json.dumps({"picture": failure.picture, "error": failure.reason}))
    else:
        complain(failure.reason)


def _summarise(
    segmenter: Segmenter, vocabulary: Vocabulary, tally: Tally, out: Path, seconds: float, *, stderr: bool
) -> None:
    """The classes over all pictures; how the words were understood; what made the result; what failed and why."""
    screen = console(stderr=stderr)
    if tally.done:
        found = sorted(
            (name for name in vocabulary.names if tally.pictures[name]), key=lambda name: -tally.shares[name]
        )
        table = plain_table("class", "share", "pictures")
        for name in found:
            swatch = Text.assemble(("■ " if screen.is_terminal else "", tally.colours[name]), one_line(name))
            table.add_row(swatch, f"{tally.shares[name] / tally.done:.1%}", str(tally.pictures[name]))
        for column in table.columns[1:]:
            column.justify = "right"
        show(screen, table)
    rows = [("words", understood(vocabulary))]
    if tally.done and (nowhere := [name for name in vocabulary.names if not tally.pictures[name]]):
        rows.append(("nowhere", listed(nowhere)))
    pictures = "1 picture" if tally.done == 1 else f"{tally.done} pictures"
    rows += [("model", described(segmenter)), ("done", f"{pictures} → {out} in {seconds:.1f} s")]
    headings = chain(("failed",), repeat(""))
    rows += [(heading, failure.reason) for heading, failure in zip(headings, tally.failures, strict=False)]
    show(screen, facts(rows))


def understood(vocabulary: Vocabulary) -> str:
    """How the words were read: classes with their synonyms in brackets, the background, the threshold."""
    classes = [name if not others else f"{name} ({', '.join(others)})" for name, *others in vocabulary.classes]
    parts = [listed(classes, " · ")]
    if vocabulary.background:
        parts.append(f"background: {listed(vocabulary.background)}")
    if vocabulary.threshold:
        parts.append(f"background wherever nothing reaches {vocabulary.threshold:g}")
    return " · ".join(parts)


def described(segmenter: Segmenter) -> str:
    """Model, host, proxy, feedback, device and number type."""
    models, settings = segmenter.provenance(), segmenter.describe()
    host = f"host {settings['host']}" + (f" with proxy {models['proxy']['name']}" if "proxy" in models else "")
    names = {type(None): "without", FeedbackAttention: "with the paper's", CalibratedFeedback: "with calibrated"}
    kind = names.get(type(segmenter.feedback), "with")
    return " · ".join((models["model"]["name"], host, f"{kind} feedback", f"{settings['device']}, {settings['dtype']}"))
