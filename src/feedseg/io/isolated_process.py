"""One process that reads files for this one, and how long it may take."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from contextlib import suppress
from signal import Signals
from threading import Timer
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.io.decoding import receive_head, receive_into, send
from feedseg.io.limits import FileLimits, TooManyPixelsError, TooSlowError

if TYPE_CHECKING:
    from feedseg.io.decoding import Answer

# Modules are looked for where this process looks, and never in the working folder, which may hold anything.
PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from feedseg.io.decoding import decode_all; decode_all()"
START = 60.0  # seconds, in which it is ready
END = 2.0  # seconds, in which it ends when nobody wants more
# Its libraries compute nothing, and every thread would count for its memory.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
PIPE = 2**20  # bytes that go through at a time, where that can be had
CHANNELS = 4  # numbers of a pixel in an array, at most


class CrashedError(FeedsegError):
    """The process that read a file has ended while it did."""


class DecodingProcess:
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
        _widen(self._stdout)
        self._is_ready = False

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, task: dict[str, Any], content: bytes, limits: FileLimits) -> None:
        """Hand over what is to be read. Raises FeedsegError where the process cannot be started."""
        self._wait_until_ready()
        of_limits = {"pixels": limits.pixels, "seconds": limits.seconds, "memory": limits.memory(task["bytes"])}
        with _Deadline(self._process, limits.seconds), suppress(OSError):  # that it is gone is told with the answer
            send(self._stdin, task | of_limits, content)

    def answer(self, name: str, limits: FileLimits) -> tuple[Answer | None, list[str]]:
        """What it has found, None where there is no more, and the warnings that this gave.

        Raises:
            FeedsegError: the file cannot be read, or its decoder crashed or took too long.
        """
        with _Deadline(self._process, limits.seconds) as deadline:
            message = None
            with suppress(OSError, ValueError, TypeError, LookupError):  # it is gone, or says what is no message
                message = self._message(limits)
        if deadline.is_over:
            raise TooSlowError(
                f"{name} took more than {limits.seconds:g} seconds to decode: convert it, or raise the limit by "
                "--max-seconds"
            )
        if message is None:
            raise CrashedError(f"{name} cannot be read: its decoder crashed{self._how()}")
        head, array = message
        if "too_large" in head:
            raise TooManyPixelsError(str(head["error"]), int(head["too_large"]))
        if "error" in head:
            raise FeedsegError(head["error"])
        return None if "end" in head else (head["facts"], array), [str(one) for one in head["warnings"]]

    def _message(self, limits: FileLimits) -> tuple[dict[str, Any], np.ndarray | None] | None:
        """What it says, None at its end. Raises ValueError and its kin where that is no message."""
        if (received := receive_head(self._stdout)) is None:
            return None
        head, length = received
        if not {"error", "end", "facts"} & head.keys() or not isinstance(head["warnings"], list):
            raise ValueError("no answer")
        if "shape" not in head:
            return head, None
        shape, dtype = [int(side) for side in head["shape"]], np.dtype(str(head["dtype"]))
        if dtype.kind not in "uifb" or min(shape) < 0 or math.prod(shape) > CHANNELS * limits.pixels:
            raise ValueError("more numbers than there may be")
        if length != math.prod(shape) * dtype.itemsize:
            raise ValueError("another number of bytes than of numbers")
        array = np.empty(shape, dtype)
        if not receive_into(self._stdout, array.reshape(-1).view("u1").data):
            return None
        array.flags.writeable = False
        return head, array

    def _wait_until_ready(self) -> None:
        if not self._is_ready:
            with _Deadline(self._process, START):
                self._is_ready = receive_head(self._stdout) is not None
        if not self._is_ready:
            raise CrashedError(
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

    def interrupt(self) -> None:
        """End it while another thread waits for what it says, which that one notices."""
        self._process.kill()

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


def _widen(stream: IO[bytes]) -> None:
    """Let a pipe hold more than Linux gives it, so that processes change less often while pixels go through."""
    with suppress(ImportError, AttributeError, OSError):  # another system, or no more for this user
        import fcntl

        fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, PIPE)


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
