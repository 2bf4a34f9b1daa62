"""The process that reads files for another one: a loop over standard input, and the messages of both sides.

A message is the length of its head and of what follows it, eight bytes each, then the head as JSON, then bytes. Nothing
is unpickled: a decoder that a hostile file has taken over can answer with wrong pixels at worst.

What reads is a function of a module, named by the process that asks: `read(file, name, max_pixels, **options)`, whose
answer is what there is to say as JSON, and an array or None. A generator function gives several answers.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from inspect import isgeneratorfunction
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from feedseg.collector import lasting_imports, leave_to_system

if TYPE_CHECKING:
    import numpy as np

    Answer = tuple[dict[str, Any], np.ndarray | None]

_LENGTHS = struct.Struct("<QQ")
LONGEST_HEAD = 1 << 20
GRACE = 5.0  # seconds after which a process whose parent is gone, or does not end it, ends by itself


def send(stream: IO[bytes], head: dict[str, Any], body: bytes | memoryview = b"") -> None:
    """Write a message. Raises OSError where nobody reads."""
    text = json.dumps(head).encode()
    stream.write(_LENGTHS.pack(len(text), len(body)))
    stream.write(text)
    stream.write(body)
    stream.flush()


def receive_head(stream: IO[bytes]) -> tuple[dict[str, Any], int] | None:
    """A message's head, and how many bytes follow it; None at the end."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    length, following = _LENGTHS.unpack(lengths)
    text = stream.read(min(length, LONGEST_HEAD))
    return (json.loads(text), following) if len(text) == length else None


def receive_into(stream: IO[bytes], view: memoryview) -> bool:
    """Fill memory with the bytes that follow a head. False where they end too early."""
    while view:
        count = stream.readinto(view)  # type: ignore[attr-defined]
        if not count:
            return False
        view = view[count:]
    return True


def reference(read: Callable[..., Any]) -> str:
    """What a function of a module is called in a request."""
    return f"{read.__module__}:{read.__qualname__}"


def decode_image_file(file: BinaryIO, name: str, max_pixels: int) -> Answer:
    """The pixels of an image, see `feedseg.io.images.read_image`; the notes of what was done to its numbers."""
    from feedseg.io.images import decode_image

    image = decode_image(file, name, max_pixels)
    return {"notes": image.notes}, image.pixels


def decode_all() -> None:
    """Read what comes by standard input, one file after the other, until that ends."""
    with lasting_imports():
        import feedseg.io.images  # noqa: F401 -- the time it takes belongs to the start

    incoming, outgoing = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no message
    _offer_to_end()
    used = _address_space()
    send(outgoing, {"ready": True})
    while (message := receive_head(incoming)) is not None:
        request, length = message
        content = incoming.read(length)
        if len(content) < length:
            return
        _limit_memory(used, request["memory"])
        answers = _answers(request, content)
        while True:
            _limit_time(request["seconds"] + GRACE)
            found = next(answers, None)
            _limit_time(0)  # as long as nobody takes what was found
            if found is None:
                break
            send(outgoing, *found)
        del content, answers, found
    leave_to_system()


def _answers(request: dict[str, Any], content: bytes) -> Iterator[tuple[dict[str, Any], bytes | memoryview]]:
    """The messages that answer a request: one, or of a generator function all that it gives and an end."""
    found = _found(request, content)
    is_over = False
    while not is_over:
        with warnings.catch_warnings(record=True) as caught:
            head, body, is_over = _caught(found, request)
        yield head | {"warnings": [str(one.message) for one in caught]}, body


def _caught(found: Iterator[Answer | None], request: dict[str, Any]) -> tuple[dict[str, Any], bytes | memoryview, bool]:
    """The next message's head and body, and whether it is the last."""
    from PIL.Image import DecompressionBombWarning

    from feedseg.errors import FeedsegError
    from feedseg.io.limits import TooManyPixelsError

    warnings.simplefilter("always")
    warnings.simplefilter("ignore", DecompressionBombWarning)  # what it says is an error of ours
    name, max_pixels = request["name"], request["pixels"]
    try:
        answer = next(found)
        if answer is None:
            return {"end": True}, b"", True
        facts, array = answer
        head: dict[str, Any] = {"facts": facts}
        if array is None:
            return head, b"", not request["many"]
        head |= {"shape": array.shape, "dtype": array.dtype.str}
        return head, array.reshape(-1).view("u1").data, not request["many"]
    except TooManyPixelsError as error:
        head = {"error": str(error), "too_large": error.pixels}
    except FeedsegError as error:
        head = {"error": str(error)}
    except MemoryError:
        head = {"error": f"{name} takes more memory to decode than an image of {max_pixels / 1e6:g} million pixels"}
    except Exception as error:  # decoders are many, and so is what they raise
        head = {"error": f"{name} cannot be read: {type(error).__name__}: {error}"}
    return head, b"", True


def _found(request: dict[str, Any], content: bytes) -> Iterator[Answer | None]:
    """What a function finds, and None behind it."""
    module, _, name = request["read"].partition(":")
    read = getattr(import_module(module), name)
    with _opened(request, content) as file:
        found = read(file, request["name"], request["pixels"], **request["options"])
        if isgeneratorfunction(read):
            yield from found
        else:
            yield found
    yield None


def _opened(request: dict[str, Any], content: bytes) -> AbstractContextManager[BinaryIO]:
    """The file, whose path or whose bytes were sent."""
    if request["path"] is None:
        return nullcontext(BytesIO(content))
    from feedseg.io.decoders import open_regular

    return open_regular(Path(request["path"]))


def _offer_to_end() -> None:
    """Where the machine runs out of memory this process is ended, and not the one that it works for."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("900", encoding="ascii")


def _address_space() -> int | None:
    """Bytes of addresses that are in use before the first image; None where that is not told."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):  # another system, which has its own limits
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _limit_memory(used: int | None, more: int) -> None:
    if used is None:
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = used + more if hard == resource.RLIM_INFINITY else min(used + more, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _limit_time(seconds: float) -> None:
    """The system ends this process after so many seconds, also inside of a decoder; 0 takes that back."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
