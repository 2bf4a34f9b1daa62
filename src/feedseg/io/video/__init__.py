"""Videos, frame by frame: reading them, and writing labels and overlays with their times and sound."""

from __future__ import annotations

from feedseg.io.video.clip import Clip, Frame
from feedseg.io.video.frames import Video, frames, open_video

__all__ = ["Clip", "Frame", "Video", "frames", "open_video"]
