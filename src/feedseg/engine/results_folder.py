"""A folder of results: which run they are of, whose each is, which of them stand. One run writes into it at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from feedseg.engine.alone import fellow_writer
from feedseg.engine.contents import NAMES, Contents, identity
from feedseg.engine.journal import Fingerprint, Journal, JournalFolder, Record
from feedseg.engine.kept import Kept, Stamp, is_as_written
from feedseg.engine.local import load_ahead
from feedseg.engine.run import Recording
from feedseg.engine.segment import Segmented
from feedseg.engine.shards import Shard
from feedseg.errors import FeedsegError
from feedseg.files import remove_temporaries
from feedseg.io.output import Output
from feedseg.io.sources.base import STATE, Found, Job
from feedseg.io.sources.stems import distinct_stems
from feedseg.io.writers.json import WRITER as RECORD_WRITER
from feedseg.io.writers.json import is_of

STEM = "run"  # of the journals
PATIENCE = 60.0  # seconds, for what lasts a moment: another run that begins, or the last file of one that was killed
DEFAULT = "feedseg-out"


class OtherRunError(FeedsegError):
    """The folder holds results that were made otherwise."""


class ResultsFolder:
    """A folder that this process alone writes the results of one run into, until it is closed.

    Get one from `claim` or `claim_default`.
    """

    def __init__(self, folder: Path, fingerprint: Fingerprint, contents: Contents, journal: Journal) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.journals = journals_of(folder)
        self.contents = contents
        self.jobs: Sequence[Job] = ()  # where the results of the run's images go
        self._journal = journal
        self._lock = ExitStack()

    def __enter__(self) -> ResultsFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()
        self._lock.close()

    @classmethod
    def claim(
        cls,
        folder: Path,
        fingerprint: Fingerprint,
        images: Sequence[Found],
        endings: tuple[str, ...] = (),
        shard: Shard | None = None,
        *,
        overwrite: bool = False,
    ) -> ResultsFolder:
        """The folder, for this run alone, and where in it the results of its images go.

        Results that were made otherwise are replaced where this run makes every one of them again.

        Args:
            folder: made if need be.
            fingerprint: all that the results depend on but the images.
            images: all of the run, also those of other shards.
            endings: of the results' names, in lower case.
            shard: the one that is run here.
            overwrite: replace in any case what was made otherwise; what this run does not make again is removed, unless
                somebody has changed it.

        Raises:
            OtherRunError: the folder holds results that were made otherwise and would not all be replaced.
            FeedsegError: another process writes into it; it cannot be written; its journal is damaged.
        """
        journals = journals_of(folder)
        with _gate(folder):
            differing = list(journals.differing(fingerprint))
            contents = Contents.read(journals)
            if differing:
                wanted = {identity(image, folder) for image in images}
                _replace(folder, fingerprint, contents, wanted, differing[0][1], overwrite=overwrite)
            journal = journals.open(fingerprint, shard)
            claimed = cls(folder, fingerprint, contents, journal)
            try:
                claimed._lock.enter_context(fellow_writer(folder))  # of its shards, but not while results are converted
                claimed._begin(images, endings, alone=shard is None)
            except BaseException:
                claimed.__exit__()
                raise
        return claimed

    @classmethod
    def claim_default(
        cls,
        fingerprint: Fingerprint,
        images: Sequence[Found],
        endings: tuple[str, ...] = (),
        *,
        overwrite: bool = False,
    ) -> ResultsFolder:
        """The first of feedseg-out, feedseg-out-2, … that is new, or empty, or holds results of this very run.

        Raises:
            FeedsegError: see `claim`.
        """
        for number in count(1):
            folder = Path(DEFAULT if number == 1 else f"{DEFAULT}-{number}")
            with suppress(OtherRunError):
                if _is_free(folder, fingerprint):
                    return cls.claim(folder, fingerprint, images, endings, overwrite=overwrite)
        raise AssertionError("there is always a next number")

    def standing(self, jobs: Sequence[Job], threads: int) -> Iterator[tuple[Job, Kept]]:
        """Of these jobs those whose results are whole and current, in order; some threads read ahead."""

        def check(job: Job) -> bool:
            return self.contents.kept[self.identify(job)].stands(self.folder, job.image)

        known = [job for job in jobs if self.identify(job) in self.contents.kept]
        for job, stands in load_ahead(check, known, threads):
            if stands():
                yield job, self.contents.kept[self.identify(job)]

    def identify(self, job: Job) -> str:
        """What tells a job from all others in the journal."""
        return identity(job.image, self.folder)

    def recording(self, current: set[str], shard: Shard | None = None) -> Recording[Job, Segmented]:
        """How outcomes are kept; `current`: keys of what need not be made again."""
        return Recording(
            self.journals, self.fingerprint, self.identify, self._keep, shard, opened=self._journal, current=current
        )

    def export(self, output: Output, shard: Shard | None = None) -> Mapping[str, Path]:
        """Write what is one file for all results, where one of them has changed since.

        Of a shard only once the others are finished, too: whichever ends last does it.

        Raises:
            FeedsegError: something cannot be read or written.
        """
        with _gate(self.folder):
            contents = self.contents if shard is None else Contents.read(self.journals)
            if any(self.identify(job) not in contents.kept for job in self.jobs) and shard is not None:
                return {}
            results: dict[str, Stamp] = {}
            for one in sorted(contents.kept.values(), key=lambda one: one.stem):
                written = one.outputs.get(one.record or "")
                if one.image is not None and written and is_as_written(self.folder / str(one.record), written):
                    results[str(one.record)] = written
            before = contents.exported
            if not before.stands(self.folder, results):
                made = output.export(self.folder, [self.folder / path for path in results])
                after = contents.exports_of(self.folder, results, made)
                _remove(self.folder, {path: one for path, one in before.outputs.items() if path not in after.outputs})
                if after.outputs or before.outputs:
                    self._journal.append(after.record())
                contents.exported = after
            return {name: self.folder / path for name, path in contents.exported.files.items()}

    def _begin(self, images: Sequence[Found], endings: tuple[str, ...], *, alone: bool) -> None:
        """What is done before the first image, while no other run can begin."""
        if alone:
            _wait_for_orphans(self.folder)
        self._take_over_moved(images)
        named = dict(self.contents.names)
        owned = {path for path, _ in self.contents.outputs()}

        @cache
        def theirs(folder: Path) -> list[str]:
            if not folder.is_dir():
                return []
            names = (path for path in folder.iterdir() if path.name.lower().endswith(endings))
            return [path.name for path in names if _below(path, self.folder) not in owned]

        def foreign(stem: Path, image: Found) -> bool:
            taken = any(name.startswith(f"{stem.name}.") for name in theirs(stem.parent))
            return taken and not is_of(stem.with_name(stem.name + RECORD_WRITER.suffix), image.name)

        self.jobs = distinct_stems(
            images, self.folder, endings, named, lambda image: identity(image, self.folder), foreign
        )
        new = {
            name: _below(job.folder / job.stem, self.folder)
            for job in self.jobs
            if (name := self.identify(job)) not in named
        }
        if new:
            self._journal.append(Record(NAMES, new))
            self.contents.names.update(new)
        if self.journals.in_use(but=self._journal.path) is None:
            written = {(self.folder / path).parent for path in owned}
            for folder in {self.folder, self.folder / STATE, *written, *(job.folder for job in self.jobs)}:
                remove_temporaries(folder)

    def _take_over_moved(self, images: Sequence[Found]) -> None:
        """Give an image that was moved the results that it had: its name, its content, and nothing where it was."""
        holders = {stem.casefold(): name for name, stem in self.contents.names.items()}
        for image in images:
            name = identity(image, self.folder)
            if name in self.contents.names:
                continue
            for stem in image.stems:
                holder = holders.get(stem.as_posix().casefold())
                kept = self.contents.kept.get(holder or "")
                if holder is None or kept is None or PurePosixPath(holder).name != image.path.name:
                    continue
                if not os.path.lexists(self.folder / holder) and kept.stands(self.folder, image):
                    for record in (Record(holder, {"moved": name}), Record(name, kept.to_json())):
                        self._journal.append(record)
                        self.contents.add(record)
                    break

    def _keep(self, result: Segmented) -> Mapping[str, object]:
        """A result as the journal has it; what the folder had of the image and has no more is removed."""
        name = self.identify(result.job)
        kept = Kept(
            stem=_below(result.job.folder / result.job.stem, self.folder),
            image=result.image,
            outputs={_below(path, self.folder): one for path, one in result.outputs.items()},
            files={form: _below(path, self.folder) for form, path in result.files.items()},
        )
        if kept.record not in kept.outputs:
            kept = replace(kept, about=result.about)
        before = self.contents.kept.get(name)
        if before is not None:
            _remove(self.folder, {path: one for path, one in before.outputs.items() if path not in kept.outputs})
        self.contents.kept[name] = kept
        return kept.to_json()


def journals_of(folder: Path) -> JournalFolder:
    """The journals of a folder of results."""
    return JournalFolder(folder / STATE, STEM)


def worker_lock(folder: Path, shard: Shard) -> FileLock:
    """What a worker process holds while it lives: the next run waits for those that outlive theirs for a moment."""
    return FileLock(folder / STATE / f".worker-{shard.number}.lock", timeout=PATIENCE, thread_local=False)


def _replace(
    folder: Path,
    fingerprint: Fingerprint,
    contents: Contents,
    wanted: set[str],
    differences: Sequence[str],
    *,
    overwrite: bool,
) -> None:
    """Make the folder's results those of an earlier run, which only wait to be replaced."""
    journals = journals_of(folder)
    if journals.in_use() is not None:
        raise OtherRunError(f"another run is writing into {folder}: wait until it has ended, or give another --out")
    others = {name: one for name, one in contents.kept.items() if name not in wanted}
    if others and not overwrite:
        held = "1 result" if len(contents.kept) == 1 else f"{len(contents.kept)} results"
        raise OtherRunError(
            f"{folder} holds {held} of another run, and not all would be replaced ({'; '.join(differences)}): give "
            "another --out, or --overwrite to replace them and remove the rest"
        )
    for one in others.values():
        _remove(folder, one.outputs)
    contents.kept = {name: replace(one, image=None) for name, one in contents.kept.items() if name in wanted}
    contents.names = {name: one.stem for name, one in contents.kept.items()}
    records = [Record(name, one.to_json()) for name, one in contents.kept.items()]
    journals.rewrite(fingerprint, [*records, contents.exported.record()] if contents.exported.outputs else records)


def _is_free(folder: Path, fingerprint: Fingerprint) -> bool:
    """Whether nothing is there, or results of this very run."""
    if not os.path.lexists(folder):
        return True
    if not folder.is_dir():
        return False
    journals = journals_of(folder)
    if not journals.files:
        return all(path.name == STATE for path in folder.iterdir())
    return not list(journals.differing(fingerprint)) or not Contents.read(journals).kept


@contextmanager
def _gate(folder: Path) -> Iterator[None]:
    """Held by whoever begins or ends a run in the folder, which is made."""
    lock = FileLock(folder / STATE / ".gate.lock", timeout=PATIENCE, thread_local=False)
    try:
        (folder / STATE).mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise FeedsegError(f"{folder} is in use by another run: wait until it has begun or ended") from error
    except OSError as error:
        raise FeedsegError(f"cannot write to {folder}: {error.strerror or error}; give another --out") from error
    try:
        yield
    finally:
        lock.release()


def _wait_for_orphans(folder: Path) -> None:
    """Workers of a run that was killed end once they have written what they are writing."""
    for path in sorted((folder / STATE).glob(".worker-*.lock")):
        lock = FileLock(path, timeout=PATIENCE, thread_local=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise FeedsegError(f"{folder} is still written by a worker of a run that has ended: end it") from error
        lock.release()


def _remove(folder: Path, outputs: Mapping[str, Stamp]) -> None:
    """Remove files that are as they were written, and the folders that are empty then."""
    for path, written in outputs.items():
        file = folder / path
        if is_as_written(file, written):
            file.unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                for parent in PurePosixPath(path).parents[:-1]:
                    (folder / parent).rmdir()


def _below(path: Path, folder: Path) -> str:
    """The path below the folder, with slashes."""
    return path.relative_to(folder).as_posix()
