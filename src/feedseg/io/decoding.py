"""The process that decodes images for another one: a loop over standard input, and the messages of both sides.

A message is the length of its head and of what follows it, eight bytes each, then the head as JSON, then bytes. Nothing
is unpickled: a decoder that a hostile file has taken over can answer with wrong pixels at worst.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import warnings
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

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


def decode_all() -> None:
    """Decode what comes by standard input, one image after the other, until that ends."""
    from feedseg.io.images import decode_image  # the time it takes belongs to the start

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
        _limit_time(request["seconds"] + GRACE)
        head, pixels = _answer(decode_image, content, request["name"], request["pixels"])
        _limit_time(0)
        send(outgoing, head, pixels)
        del content, pixels


def _answer(decode: Any, content: bytes, name: str, max_pixels: int) -> tuple[dict[str, Any], bytes | memoryview]:
    from PIL.Image import DecompressionBombWarning

    from feedseg.errors import FeedsegError
    from feedseg.io.limits import TooManyPixelsError

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DecompressionBombWarning)  # what it says is an error of ours
        head: dict[str, Any] = {}
        pixels: bytes | memoryview = b""
        try:
            found = decode(BytesIO(content), name, max_pixels)
            head = {"size": found.size, "notes": found.notes}
            pixels = found.pixels.reshape(-1).data
        except TooManyPixelsError as error:
            head = {"error": str(error), "too_large": error.pixels}
        except FeedsegError as error:
            head = {"error": str(error)}
        except MemoryError:
            head = {"error": f"{name} takes more memory to decode than an image of {max_pixels / 1e6:g} million pixels"}
        except Exception as error:  # decoders are many, and so is what they raise
            head = {"error": f"{name} cannot be read as an image: {type(error).__name__}: {error}"}
    return head | {"warnings": [str(one.message) for one in caught]}, pixels


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
