"""Serving the page on this machine, or wherever it was told to."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING

from feedseg.apps.page.desk import Desk
from feedseg.errors import FeedsegError

if TYPE_CHECKING:
    from fastapi import FastAPI

_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_CODE = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
_PATIENCE = 1  # seconds for what is being answered when it ends


def application(desk: Desk, place: Path) -> FastAPI:
    """The page as an application; nothing that it shows comes from another machine.

    Args:
        desk: what computes.
        place: a folder of its own for uploads and downloads.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before it is imported: it would tell its makers
    os.environ["GRADIO_TEMP_DIR"] = str(place / "uploads")
    from fastapi import FastAPI
    from gradio import mount_gradio_app
    from gradio.themes import Base

    from feedseg.apps.page.events import page
    from feedseg.apps.page.layout import asset

    theme = Base(
        primary_hue="indigo", neutral_hue="slate", font=_FONTS, font_mono=_CODE, radius_size="lg", text_size="md"
    ).set(  # of every text at least 4.5 to 1 against what is behind it
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        input_placeholder_color="*neutral_500",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
    )
    return mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),  # their pages load scripts from elsewhere
        page(desk, place),
        "/",
        theme=theme,
        css=asset("page.css"),
        footer_links=[],
        max_file_size=desk.limits.bytes,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
    )


def serve(desk: Desk, listening: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve on a socket until a signal ends it; `ready` is told the page's address."""
    import uvicorn

    address, port = listening.getsockname()[:2]
    with TemporaryDirectory(prefix="feedseg-app-") as place:
        app = application(desk, Path(place))
        ready(f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}")
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_PATIENCE, server_header=False)
        log = logging.getLogger("uvicorn.error")

        class Server(uvicorn.Server):
            def handle_exit(self, sig: int, frame: FrameType | None) -> None:
                # Every open page holds a connection on which news come; that they are cut off is no news.
                log.disabled = True
                super().handle_exit(sig, frame)

        try:
            Server(config).run(sockets=[listening])
        finally:
            log.disabled = False


def listener(address: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any that is free. Raises FeedsegError where it cannot."""
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((address, port))
    except OSError as error:
        raise FeedsegError(
            f"cannot listen on {address}, port {port}: {error.strerror or error}; give another --port or --address"
        ) from error
    return found
