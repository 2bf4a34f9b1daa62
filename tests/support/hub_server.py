"""A Hugging Face hub on the loopback, as far as huggingface_hub's downloads need one."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

LISTING = re.compile(r"/api/models/([^/]+/[^/]+)/revision/(.+)")
FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class Request(NamedTuple):
    method: str
    path: str
    range: str | None


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes = b""


class Break(NamedTuple):
    """How a transfer ends early: after so many bytes `then` is called with the connection, which is closed."""

    after: int
    then: Callable[[socket.socket], object] = lambda _: None


def reset(connection: socket.socket) -> None:
    """Close a connection rudely, as a router does that has lost it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class HubServer(ThreadingHTTPServer):
    """Serves what was published while the `with` block lasts, and records what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[Request] = []
        self.on_request: Callable[[Request], object] = lambda _: None
        self.breaks: dict[str, Break] = {}  # file → how its next transfer breaks; that happens once
        self.refusals: dict[str, Answer] = {}  # repository → the answer to any request of its files
        self._commits: dict[tuple[str, str], dict[str, bytes]] = {}  # (repository, commit) → files
        self._names: dict[tuple[str, str], str] = {}  # (repository, branch or tag) → commit

    def publish(self, repository: str, files: dict[str, bytes], name: str = "main") -> str:
        """A new commit, to which the branch or tag moves; its hash."""
        commit = hashlib.sha1(repr((repository, sorted(files.items()))).encode()).hexdigest()
        self._commits[repository, commit] = files
        self._names[repository, name] = commit
        return commit

    def answer(self, path: str, start: int) -> Answer:
        """To a request of the listing, or of a file from byte `start` on."""
        asked = LISTING.fullmatch(path) or FILE.fullmatch(path)
        if asked is None:
            return Answer(404, {})
        repository, revision, *names = asked.groups()
        commit = self._names.get((repository, revision), revision)
        files = self._commits.get((repository, commit))
        if files is None and any(repository == known for known, _ in self._commits):
            return Answer(404, {"X-Error-Code": "RevisionNotFound"})
        if files is None:  # the hub tells nobody which private repositories it has
            return Answer(401, {"X-Error-Code": "RepoNotFound"})
        if not names:
            siblings = [{"rfilename": name} for name in files]
            return Answer(200, {}, json.dumps({"id": repository, "sha": commit, "siblings": siblings}).encode())
        if repository in self.refusals:
            return self.refusals[repository]
        content = files[names[0]]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Answer(206 if start else 200, headers, content[start:])

    def __enter__(self) -> HubServer:
        Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        hub = self.server
        assert isinstance(hub, HubServer)
        request = Request(self.command, unquote(urlsplit(self.path).path), self.headers["Range"])
        hub.requests.append(request)
        hub.on_request(request)
        start = re.fullmatch(r"bytes=(\d+)-", request.range or "bytes=0-")
        answer = hub.answer(request.path, int(start[1]) if start else 0)
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        broken = hub.breaks.pop(request.path.rpartition("/")[2], None)
        with suppress(ConnectionError):  # of a client that did not wait
            self.wfile.write(answer.body[: broken.after] if broken else answer.body)
        if broken:
            broken.then(self.connection)
            self.close_connection = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests' output is pytest's."""
