"""Addresses, on a server of the loopback that behaves well or not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io.limits import FileLimits
from feedseg.io.sources.base import Found, Search
from feedseg.io.sources.find import find_images


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (200, 100, 0)).save(file, "PNG")
    return file.getvalue()


class Answers(BaseHTTPRequestHandler):
    """What the addresses lead to."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", path.removeprefix("/to/"))
            self.end_headers()
            return
        if path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
            return
        content = {"/a.png": picture(), "/page": b"<html>", "/endless": b"x" * 5000, "/lies": b"x" * 5000}.get(path)
        self.send_response(200 if content else 404)
        if path == "/lies":
            self.send_header("Content-Length", "10000000")
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Not to the terminal."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def found(url: str, max_bytes: int = 4000) -> Found:
    (image,) = find_images([url], Search(allow_urls=True, max_bytes=max_bytes)).images
    return image


def test_an_image_is_fetched_and_called_by_its_address(server: str) -> None:
    image = found(f"{server.replace('//', '//user:secret@')}/a.png?size=3#part")
    assert image.name == image.key == f"{server}/a.png?size=3"
    pixels, digest = image.load(FileLimits(pixels=100))
    assert (pixels.size, pixels.source) == ((3, 4), image.name)
    assert digest == image.digest()
    assert image.stems[0].as_posix() == "a"
    assert found(f"{server}/to//a.png").load(FileLimits(pixels=100))[0].size == (3, 4)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/none.png", "cannot be fetched: 404 Not Found"),
        ("/page", "not an image in a known format"),
        ("/endless", "has more than 0.004 MB: raise the limit by --max-bytes"),
        ("/lies", "has more than 0.004 MB"),
        ("/to/file:///etc/passwd", "url 'file:///etc/passwd' is not allowed"),
        ("/to/ftp://127.0.0.1/a.png", "which is not on the web"),
        ("/loop", "cannot be fetched"),
    ],
)
def test_what_is_no_image_of_the_web_says_so_in_one_line(server: str, path: str, reason: str) -> None:
    with pytest.raises(FeedsegError, match=reason) as caught:
        found(f"{server}{path}").load(FileLimits(pixels=100))
    assert str(caught.value).startswith(f"{server}{path} ")
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there(server: str) -> None:
    with pytest.raises(FeedsegError, match="cannot be fetched"):
        found("http://127.0.0.1:9/a.png").load(FileLimits(pixels=100))


def test_nothing_is_fetched_unless_it_was_allowed(server: str) -> None:
    one = find_images([f"{server}/a.png"])
    assert one.images == []
    assert [failure.reason for failure in one.failures] == [f"{server}/a.png was not read: give --allow-urls"]
    several = find_images([f"{server}/a.png", f"{server}/b.png"])
    assert [failure.reason for failure in several.failures] == [
        f"2 addresses, such as {server}/a.png, were not read: give --allow-urls"
    ]


@pytest.mark.parametrize(
    ("url", "stem"),
    [
        ("http://h.org/", "h"),
        ("https://h.org/a%20b/c%2Fd.jpg", "d"),
        ("http://h.org/../..", "h"),
        ("http://h.org/.hidden.png", "hidden"),
        ("HTTP://h.org/x.PNG", "x"),
    ],
)
def test_names_from_addresses_are_names_of_files(url: str, stem: str) -> None:
    assert found(url).stems[0].as_posix() == stem
