"""PyAV, which not everyone has, and the videos that it may read here."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from feedseg.errors import FeedsegError

ADVICE = "pip install 'feedseg[video]'"
# What names of videos end in. ".ts" is not among them: most files called so are programs.
SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".wmv", ".flv", ".ogv")
SUFFIXES += (".3gp", ".mxf", ".y4m")
# FFmpeg's names of the containers that may be opened: no playlists, which would have it read other files.
_FORMATS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,asf,flv,ogg,mxf,yuv4mpegpipe,h264,hevc"
OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}


def is_installed() -> bool:
    """Whether videos can be read here."""
    return find_spec("av") is not None


def load_av() -> Any:
    """PyAV's module. Raises FeedsegError where it is not installed."""
    if not is_installed():
        raise FeedsegError(f"videos need PyAV: {ADVICE}")
    import av
    import av.logging

    av.logging.set_level(None)  # what is wrong is told once, by exceptions
    return av
