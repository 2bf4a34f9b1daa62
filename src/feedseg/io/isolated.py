"""Images decoded in processes of their own: a file that crashes, holds up or bloats its decoder fails alone.

Decoders are C libraries that are fed whatever lies in a folder. A process that decodes lives for many images, gets a
file's bytes and hands back pixels; it is killed after `FileLimits.seconds`, cannot have more memory than
`FileLimits.memory` (on Linux), and is replaced when it is gone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from contextlib import suppress
from signal import Signals
from threading import Lock, Timer
from typing import IO, Any, cast

import numpy as np

from feedseg.errors import FeedsegError, brief, warn_user
from feedseg.io.decoding import receive_head, receive_into, send
from feedseg.io.images import RgbImage
from feedseg.io.limits import FileLimits, TooManyPixelsError, TooSlowError

# Modules are looked for where this process looks, and never in the working folder, which may hold anything.
PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from feedseg.io.decoding import decode_all; decode_all()"
START = 60.0  # seconds, in which it is ready
END = 2.0  # seconds, in which it ends when nobody wants more
# Its libraries compute nothing, and every thread would count for its memory.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class IsolatedDecoder:
    """Decodes images for any number of threads: `with IsolatedDecoder() as decoder: decoder(content, name, limits)`.

    As many processes are started as threads decode at a time.
    """

    def __init__(self) -> None:
        self._idle: deque[_Process] = deque()
        self._lock = Lock()

    def __enter__(self) -> IsolatedDecoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start a process now, so that the first image does not wait for it."""
        self._put(_Process())

    def close(self) -> None:
        """End the processes."""
        while (process := self._taken()) is not None:
            process.end()

    def __call__(self, content: bytes, name: str, limits: FileLimits) -> RgbImage:
        """The image of a file's bytes; `name` is what errors and the image's source call it.

        Raises:
            FeedsegError: it is no image, or too large, or its decoder crashed or took too long.
        """
        if not isinstance(content, bytes):
            raise FeedsegError(f"a decoder takes the bytes of a file, not {brief(content)}")
        limits.check_bytes(len(content), name)
        process = self._taken() or _Process()
        try:
            head, pixels = process.decoded(content, name, limits)
        except BaseException:
            process.kill()
            raise
        self._put(process)
        for warning in head["warnings"]:
            warn_user(warning)
        if "too_large" in head:
            raise TooManyPixelsError(head["error"], head["too_large"])
        if "error" in head:
            raise FeedsegError(head["error"])
        return RgbImage(pixels, name, tuple(head["notes"]))

    def _taken(self) -> _Process | None:
        """One that waits for work and is alive."""
        with self._lock:
            while self._idle:
                if (process := self._idle.pop()).is_alive:
                    return process
        return None

    def _put(self, process: _Process) -> None:
        with self._lock:
            self._idle.append(process)


class _Process:
    """One process that decodes, used by one thread at a time."""

    def __init__(self) -> None:
        shown = None if os.environ.get("FEEDSEG_DEBUG") else subprocess.DEVNULL
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=shown,  # what libraries print when they crash
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,  # Ctrl-C is for the process that it works for, and its end is this one's, too
        )
        self._is_ready = False

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def decoded(self, content: bytes, name: str, limits: FileLimits) -> tuple[dict[str, Any], np.ndarray]:
        """What is said of an image, and its pixels, none where there is an error. Raises FeedsegError."""
        self._wait_until_ready()
        task = {"name": name, "pixels": limits.pixels, "seconds": limits.seconds, "memory": limits.memory(len(content))}
        with _Deadline(self._process, limits.seconds) as deadline:
            answer = None
            with suppress(OSError, ValueError):  # it is gone, or says what is no message
                send(self._stdin, task, content)
                answer = self._answer(limits)
        if deadline.is_over:
            raise TooSlowError(
                f"{name} took more than {limits.seconds:g} seconds to decode: convert it, or raise the limit by "
                "--max-seconds"
            )
        if answer is None:
            raise FeedsegError(f"{name} cannot be read as an image: its decoder crashed{self._how()}")
        return answer

    def _answer(self, limits: FileLimits) -> tuple[dict[str, Any], np.ndarray] | None:
        if (message := receive_head(self._stdout)) is None:
            return None
        head, length = message
        height, width = head.get("size", (0, 0))
        if height * width > limits.pixels or length != 3 * height * width:
            return None
        pixels = np.empty((height, width, 3), np.uint8)
        if not receive_into(self._stdout, pixels.reshape(-1).data):
            return None
        pixels.flags.writeable = False
        return head, pixels

    def _wait_until_ready(self) -> None:
        if not self._is_ready:
            with _Deadline(self._process, START):
                self._is_ready = receive_head(self._stdout) is not None
        if not self._is_ready:
            raise FeedsegError(
                f"the process that decodes images could not be started{self._how()}: FEEDSEG_DEBUG=1 shows why"
            )

    def _how(self) -> str:
        """How it ended, in brackets."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END)
        self.kill()
        code = self._process.returncode
        return f" ({Signals(-code).name})" if code < 0 else f" (exit code {code})"

    def end(self) -> None:
        """End it, which it does by itself when there is no more to read."""
        self._close()
        try:
            self._process.wait(END)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self._stdin, self._stdout):
            with suppress(OSError):  # what was not written yet has nobody to read it
                stream.close()

    @property
    def _stdin(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    @property
    def _stdout(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdout)


class _Deadline:
    """Kills a process that is not done with the block in time."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.is_over = False
        self._process = process
        self._timer = Timer(seconds, self._pass)
        self._timer.daemon = True

    def _pass(self) -> None:
        self.is_over = True
        self._process.kill()

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
