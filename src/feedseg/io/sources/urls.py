"""http and https addresses, which are fetched only where that was allowed."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from io import BytesIO
from pathlib import Path, PurePath
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from feedseg.errors import FeedsegError
from feedseg.io.sources.base import MAX_BYTES, Finding, Found, Refused, Search, Source

SCHEMES = ("http", "https")
SILENCE, PATIENCE = 20.0, 120.0  # seconds without a byte, and in all


@dataclass(frozen=True)
class UrlImage(Found):
    """The image at an address; it is fetched whenever it is read."""

    url: str = ""
    max_bytes: int = MAX_BYTES

    def open(self) -> AbstractContextManager[BinaryIO]:
        """See `Found.open`."""
        return closing(BytesIO(fetched(self.url, self.max_bytes)))

    @property
    def name(self) -> str:
        """See `Found.name`."""
        return shown(self.url)

    @cached_property
    def key(self) -> str:
        """See `Found.key`."""
        return shown(self.url)


class Urls(Source):
    """An address of an image."""

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return bool(re.match(r"https?://", argument, re.IGNORECASE))

    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """See `Source.find`."""
        if not search.allow_urls:
            yield Refused(shown(argument), "address", "give --allow-urls")
            return
        parts = urlsplit(argument)
        host = re.sub(r"[^\w.-]", "_", parts.hostname or "address")
        last = re.sub(r"[^\w.-]", "_", unquote(parts.path).rstrip("/").rpartition("/")[2]).lstrip(".")
        name = PurePath(last or host)
        yield UrlImage(Path(name), name, host, argument, search.max_bytes)


def shown(url: str) -> str:
    """An address without what is secret or says nothing of the image: user, password and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme.lower(), parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def fetched(url: str, max_bytes: int) -> bytes:
    """What is at an address.

    Raises:
        FeedsegError: it cannot be fetched, takes too long or is larger than `max_bytes`, or leads away from the web.
    """
    name, end = shown(url), time.monotonic() + PATIENCE
    too_large = FeedsegError(f"{name} has more than {max_bytes / 1e6:g} MB: raise the limit by --max-bytes")
    content = bytearray()
    try:
        with _opener().open(_request(url), timeout=SILENCE) as answer:
            if int(answer.headers.get("Content-Length") or 0) > max_bytes:
                raise too_large
            while block := answer.read1(1 << 16):
                content += block
                if len(content) > max_bytes:
                    raise too_large
                if time.monotonic() > end:
                    raise FeedsegError(f"{name} was not there within {PATIENCE:g} seconds")
    except HTTPError as error:
        reason = " ".join(str(error.reason).split())
        raise FeedsegError(f"{name} cannot be fetched: {error.code} {reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise FeedsegError(f"{name} cannot be fetched: {reason or type(error).__name__}") from error
    return bytes(content)


def _request(url: str) -> Request:
    """User and password of an address go to its server alone, not to where that leads."""
    parts = urlsplit(url)
    request = Request(shown(url), headers={"User-Agent": "feedseg"})
    if "@" in parts.netloc:
        known = unquote(parts.netloc.rpartition("@")[0]).encode()
        request.add_unredirected_header("Authorization", f"Basic {b64encode(known).decode()}")
    return request


class _OnTheWeb(HTTPRedirectHandler):
    """Follows a redirect to http and https alone."""

    def redirect_request(self, req: Request, fp, code, msg, headers, newurl: str) -> Request | None:
        """See the base class."""
        if urlsplit(newurl).scheme.lower() not in SCHEMES:
            raise FeedsegError(f"{shown(req.full_url)} leads to {newurl}, which is not on the web")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    """It knows no other schemes than http and https."""
    opener = OpenerDirector()
    for handler in (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor, _OnTheWeb):
        opener.add_handler(handler())
    return opener


SOURCE = Urls()
