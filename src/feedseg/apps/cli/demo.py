"""`feedseg demo`: its options."""

from __future__ import annotations

from typing import Annotated

from feedseg.apps.cli.options import MODEL, OUTPUT, option
from feedseg.collector import lasting_imports
from feedseg.errors import FeedsegError
from feedseg.vision.hosts import HOSTS

# Of the hosts that localise at all, the one that feedback gains most with: measured on scenes 100 to 139, which are not
# those that the demonstration begins with.
HOST = "clearclip"


def demo(
    out: Annotated[
        str, option(OUTPUT, "DIR", "The folder for the files.", "--out", "-o", show_default=True)
    ] = "feedseg-demo",
    scenes: Annotated[
        int,
        option(
            OUTPUT, "N", "How many scenes to draw and measure.", "--scenes", "-n", min=1, max=500, show_default=True
        ),
    ] = 16,
    seed: Annotated[
        int, option(OUTPUT, "N", "The first scene's seed; the others have the next ones.", min=0, show_default=True)
    ] = 0,
    host: Annotated[
        str, option(MODEL, "NAME", f"The host in demo.png: {', '.join(HOSTS.names())}.", show_default=True)
    ] = HOST,
) -> None:
    """See what it does: segment photographs and drawn scenes by words, with every feedback.

    The models are in the package, and no network is needed. The folder gets
      photographs.png  bundled photographs, and their results without feedback, with
                       the paper's and with the calibrated: look at it first
      demo.png         drawn scenes with their exact truth, and the same results
      scene-0.*        the first scene, its truth, and its results; and so on
    The figures of every host are printed.
    """
    if host not in HOSTS.names():
        raise FeedsegError(HOSTS.unknown(host))

    from feedseg.apps.cli.inputs import check_writable

    folder = check_writable(out)

    with lasting_imports():
        from feedseg.apps.cli.render_demo import demonstrate

    demonstrate(folder, scenes, seed, host)
