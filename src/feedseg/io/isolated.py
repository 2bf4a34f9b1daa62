"""Files read in processes of their own: one that crashes, holds up or bloats its decoder fails alone.

Decoders are C libraries that are fed whatever lies in a folder. A process that decodes lives for many files, gets a
file's bytes or path and hands back pixels; it is killed after `FileLimits.seconds`, cannot have more memory than
`FileLimits.memory` (on Linux), and is replaced when it is gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from os import SEEK_END
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from feedseg.errors import FeedsegError, brief, warn_user
from feedseg.io.decoders import open_regular
from feedseg.io.decoding import decode_image_file, reference
from feedseg.io.images import RgbImage
from feedseg.io.isolated_process import CrashedError, DecodingProcess
from feedseg.io.limits import FileLimits, TooSlowError

if TYPE_CHECKING:
    from feedseg.io.decoding import Answer


class IsolatedDecoder:
    """Decodes images for any number of threads: `with IsolatedDecoder() as decoder: decoder(content, name, limits)`.

    As many processes are started as threads decode at a time.
    """

    def __init__(self) -> None:
        self._idle: deque[DecodingProcess] = deque()
        self._busy: set[DecodingProcess] = set()
        self._lock = Lock()

    def __enter__(self) -> IsolatedDecoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start a process now, so that the first file does not wait for it."""
        with self._lock:
            self._idle.append(DecodingProcess())

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            idle = [*self._idle]
            self._idle.clear()
        for process in idle:
            process.end()

    def interrupt(self) -> None:
        """End what is being read, by whatever thread: nobody wants it any more. What is read later is as always."""
        with self._lock:
            for process in self._busy:
                process.interrupt()

    def __call__(self, content: bytes, name: str, limits: FileLimits) -> RgbImage:
        """The image of a file's bytes; `name` is what errors and the image's source call it.

        Raises:
            FeedsegError: it is no image, or too large, or its decoder crashed or took too long.
        """
        if not isinstance(content, bytes):
            raise FeedsegError(f"a decoder takes the bytes of a file, not {brief(content)}")
        limits.check_bytes(len(content), name)
        with self._asked({"read": reference(decode_image_file), "name": name}, limits, content) as process:
            return decoded_image(_told(*process.answer(name, limits)), name)

    def read(self, read: Callable[..., Answer], path: Path, limits: FileLimits, **options: Any) -> Answer:
        """What a function finds in a file: what there is to say, and an array or None.

        Args:
            read: a function of a module, `read(file, name, max_pixels, **options)`; see `feedseg.io.decoding`.
            path: of the file.
            limits: of the file.
            options: JSON.

        Raises:
            FeedsegError: the file cannot be read, is too large, or its decoder crashed or took too long.
        """
        with open_regular(path) as file:
            number = file.seek(0, SEEK_END)
        limits.check_bytes(number, str(path))
        with self._asked(_task(read, path, options) | {"bytes": number}, limits) as process:
            return _told(*process.answer(str(path), limits))

    def stream(
        self, read: Callable[..., Iterator[Answer]], path: Path, limits: FileLimits, **options: Any
    ) -> Generator[Answer, None, None]:
        """One after the other what a generator function finds in a file, for each of which it may take its time.

        See `read`; the limit of bytes is none of what is not read as a whole.
        """
        with open_regular(path):  # what can be said of it here is said here
            task = _task(read, path, options) | {"many": True}
        with self._asked(task, limits) as process:
            while True:
                answer, warnings = process.answer(str(path), limits)
                if answer is None:
                    return
                yield _told(answer, warnings)

    @contextmanager
    def _asked(self, task: dict[str, Any], limits: FileLimits, content: bytes = b"") -> Iterator[DecodingProcess]:
        """A process that does a task, kept for the next one where it has answered."""
        process, has_answered = self._taken(), False
        try:
            process.ask({"path": None, "many": False, "bytes": len(content), "options": {}} | task, content, limits)
            yield process
            has_answered = True
        except FeedsegError as error:
            has_answered = not isinstance(error, (CrashedError, TooSlowError))
            raise
        finally:
            with self._lock:
                self._busy.discard(process)
                if has_answered:
                    self._idle.append(process)
            if not has_answered:
                process.kill()

    def _taken(self) -> DecodingProcess:
        """One that waits for work and is alive, or a new one."""
        with self._lock:
            while self._idle:
                if (process := self._idle.pop()).is_alive:
                    break
            else:
                process = DecodingProcess()
            self._busy.add(process)
        return process


def decoded_image(answer: Answer, name: str) -> RgbImage:
    """The image that `decode_image_file` has found."""
    facts, pixels = answer
    if pixels is None:
        raise FeedsegError(f"{name} has no pixels")
    return RgbImage(pixels, name, tuple(map(str, facts["notes"])))


def _task(read: Callable[..., Any], path: Path, options: dict[str, Any]) -> dict[str, Any]:
    return {"read": reference(read), "name": str(path), "path": str(path.absolute()), "options": options}


def _told(answer: Answer | None, warnings: list[str]) -> Answer:
    """The answer, and its warnings as this process's own."""
    for warning in warnings:
        warn_user(warning)
    if answer is None:
        raise FeedsegError("the process that decodes has answered nothing")
    return answer
