"""Videos, frame by frame: reading them, and writing labels and overlays with their times and sound."""

from __future__ import annotations

from feedseg.io.video.frames import Frame, Video, frames, open_video

__all__ = ["Frame", "Video", "frames", "open_video"]
