"""What stands before the routes: who may ask, how much may be sent and how slowly, how many are answered at a time."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feedseg.apps.limits import Limits
from feedseg.apps.service.measured import Metrics
from feedseg.apps.service.refused import RefusedError

OPEN = ("/healthz", "/readyz")  # for those who watch the service, with no token
COUNTED = "/v1/segment"


class Guard:
    """ASGI middleware. Its refusals have the same form as those of the routes."""

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics, token: str | None) -> None:
        self._app, self._limits, self._metrics = app, limits, metrics
        self._token = None if token is None else f"Bearer {token}".encode()
        self._now = 0  # requests that are read, wait or are answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counted = scope["path"] == COUNTED
        started, status = time.monotonic(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._now += counted
        try:
            self._check(scope, counted)
            await self._app(scope, self._bounded(receive, started), noting)
        except RefusedError as refusal:
            await _refuse(refusal, noting)
        finally:
            self._now -= counted
            if counted:
                self._metrics.requests.labels(str(status)).inc()
                self._metrics.seconds.observe(time.monotonic() - started)
                self._metrics.waiting.set(self._now)

    def _check(self, scope: Scope, counted: bool) -> None:
        headers = dict(scope["headers"])
        if self._token is not None and scope["path"] not in OPEN:
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, self._token):  # as long for a wrong token as for a nearly right one
                raise RefusedError(401, "a token is needed: Authorization: Bearer …")
        if counted and self._now > self._limits.queue:
            raise RefusedError(429, f"{self._limits.queue} requests are being answered: try again")
        self._metrics.waiting.set(self._now)
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._limits.bytes:
            raise self._too_large()

    def _bounded(self, receive: Receive, started: float) -> Receive:
        """`receive` that counts bytes and does not wait for a slow sender longer than a request may take."""
        seen, ended = 0, False

        async def bounded() -> Message:
            nonlocal seen, ended
            if ended:
                return await receive()  # nothing but the client's going away comes behind the body
            try:
                message = await asyncio.wait_for(receive(), self._limits.seconds - (time.monotonic() - started))
            except asyncio.TimeoutError as error:
                raise RefusedError(408, f"the request was not sent within {self._limits.seconds:g} s") from error
            seen += len(message.get("body", b""))
            ended = message["type"] != "http.request" or not message.get("more_body", False)
            if seen > self._limits.bytes:
                raise self._too_large()
            return message

        return bounded

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"a request has at most {self._limits.bytes / 2**20:g} MiB")


async def _refuse(refusal: RefusedError, send: Send) -> None:
    body = json.dumps({"error": str(refusal)}).encode()
    fields: dict[str, Any] = {"content-type": "application/json", "content-length": len(body), **refusal.headers}
    headers = [(name.lower().encode(), str(value).encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
