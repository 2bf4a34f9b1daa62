"""Which blocks a host looks at in towers of other depths than the one that its paper gives numbers for."""

from __future__ import annotations

from feedseg.errors import FeedsegError

PUBLISHED_BLOCKS = 12  # of ViT-B, for which the papers number them


def layer(published: int, blocks: int) -> int:
    """The block, from 1, at the relative depth that block `published` has of twelve; never the last.

    Exact for ViT-B. The papers give no numbers for other depths.
    """
    nearest = (2 * published * blocks + PUBLISHED_BLOCKS) // (2 * PUBLISHED_BLOCKS)  # halves are rounded up
    return min(max(nearest, 1), blocks - 1)


def check_depth(host: str, blocks: int) -> None:
    """Raises FeedsegError where a tower has no block before the last."""
    if blocks < 2:
        raise FeedsegError(
            f"the host {host} looks at blocks before the last, and the tower has {blocks} in all: take another host, "
            "such as naclip"
        )
