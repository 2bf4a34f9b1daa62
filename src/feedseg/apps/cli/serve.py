"""`feedseg serve`: segmentation over HTTP."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from feedseg.apps.cli import options
from feedseg.apps.cli.console import complain
from feedseg.apps.cli.options import MODEL, flag, option
from feedseg.apps.limits import Limits
from feedseg.collector import lasting_imports
from feedseg.errors import FeedsegError
from feedseg.weights.catalog import DEFAULT_MODEL

WHERE, LIMITS = "Where", "Limits of a request"
TOKEN = "FEEDSEG_TOKEN"
MIB = 2**20
HERE = ("127.0.0.1", "localhost", "::1")
EXAMPLES = """Examples:
  feedseg serve
  curl -F image=@cat.jpg -F words=cat http://127.0.0.1:8000/v1/segment
  feedseg serve --model photo --model vit-b-16 --address 0.0.0.0 --token-file token
"""


def serve(
    model: Annotated[
        list[str] | None,
        option(MODEL, "NAME", "A model to serve, the first by default; repeatable.", "--model", "-m"),
    ] = None,
    device: options.Device = None,
    address: Annotated[
        str, option(WHERE, "ADDRESS", "0.0.0.0 for other machines too.", show_default=True)
    ] = "127.0.0.1",
    port: Annotated[int, option(WHERE, "N", "Where it listens.", min=1, max=65535, show_default=True)] = 8000,
    workers: Annotated[
        int, option(WHERE, "N", "Processes, each with its own models.", min=1, max=64, show_default=True)
    ] = 1,
    token_file: Annotated[
        Path | None, option(WHERE, "FILE", f"A file with the token that clients need; or {TOKEN}.", "--token-file")
    ] = None,
    access_log: Annotated[bool, flag(WHERE, "--access-log", "Log every request's address and status.")] = False,
    max_megabytes: Annotated[int, option(LIMITS, "N", "MiB of the body.", min=1, show_default=True)] = Limits.bytes
    // MIB,
    max_pixels: Annotated[int, option(LIMITS, "N", "Pixels of an image.", min=1, show_default=True)] = Limits.pixels,
    max_words: Annotated[int, option(LIMITS, "N", "Words.", min=1, show_default=True)] = Limits.words,
    queue: Annotated[int, option(LIMITS, "N", "Requests at a time.", min=1, show_default=True)] = Limits.queue,
    seconds: Annotated[float, option(LIMITS, "S", "Time for an answer.", min=0.1, show_default=True)] = Limits.seconds,
    decode_seconds: Annotated[
        float, option(LIMITS, "S", "Time to decode an image.", min=0.01, show_default=True)
    ] = Limits.decode_seconds,
    cache_megabytes: Annotated[
        int, option(LIMITS, "N", "MiB of encoded images that are kept.", min=0, show_default=True)
    ] = Limits.cache_bytes // MIB,
) -> None:
    """Serve segmentation over HTTP: POST /v1/segment, masks as PNG or COCO run lengths."""
    missing = [name for name in ("fastapi", "uvicorn", "multipart", "prometheus_client") if not find_spec(name)]
    if missing:
        raise FeedsegError(f"{missing[0]} is not installed: pip install 'feedseg[serve]'")
    with lasting_imports():
        from feedseg.apps.service.app import Service
        from feedseg.apps.service.server import serve as run

    limits = replace(
        Limits(),
        bytes=max_megabytes * MIB,
        pixels=max_pixels,
        words=max_words,
        queue=queue,
        decode_seconds=decode_seconds,
        seconds=seconds,
        cache_bytes=cache_megabytes * MIB,
    )
    token = _token(token_file)
    if address not in HERE and token is None:
        complain(f"note: everyone who reaches {address} may ask: give a token by --token-file or {TOKEN}")
    names = tuple(dict.fromkeys(model or [DEFAULT_MODEL]))
    run(Service(names, device, limits, token), address, port, workers, access_log)


def _token(file: Path | None) -> str | None:
    if file is None:
        found = os.environ.get(TOKEN)
    else:
        try:
            found = file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise FeedsegError(f"{file} cannot be read as a token: {error}") from error
    if found is not None and not (found.isascii() and found.isprintable() and found):
        raise FeedsegError("a token is one line of printable ASCII characters")
    return found
