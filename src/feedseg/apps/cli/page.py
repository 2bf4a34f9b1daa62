"""`feedseg app`: the page."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

from feedseg.apps.cli import options
from feedseg.apps.cli.console import complain, status, write
from feedseg.apps.cli.options import MODEL, flag, option
from feedseg.apps.cli.serve import HERE
from feedseg.collector import lasting_imports
from feedseg.errors import FeedsegError
from feedseg.weights.catalog import CARDS, DEFAULT_MODEL

WHERE = "Where"
EXAMPLES = """Examples:
  feedseg app
  feedseg app --port 8080 --open
  feedseg app --model photo --model vit-b-16 --proxy dino-b8
"""


def page(
    model: Annotated[
        list[str] | None,
        option(
            MODEL,
            "NAME",
            "A model to choose from, the first by default; repeatable. Without: those in the package.",
            "--model",
            "-m",
        ),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        option(MODEL, "NAME", "A proxy to choose from beside auto and self; repeatable.", "--proxy"),
    ] = None,
    device: options.Device = None,
    address: Annotated[
        str, option(WHERE, "ADDRESS", "0.0.0.0 for other machines too.", show_default=True)
    ] = "127.0.0.1",
    port: Annotated[
        int, option(WHERE, "N", "Where it listens; 0 for any that is free.", min=0, max=65535, show_default=True)
    ] = 7860,
    browser: Annotated[bool, flag(WHERE, "--open", "Open it in a browser.")] = False,
) -> None:
    """Open a page to play with: a photo, words, and every pixel is named.

    It compares the result with and without feedback, shows what each patch
    attends to, and gives the files, the command line and the Python for it.
    """  # fmt: skip
    missing = [name for name in ("gradio", "uvicorn", "multipart") if not find_spec(name)]
    if missing:
        raise FeedsegError(f"{missing[0]} is not installed: pip install 'feedseg[app]'")
    with lasting_imports():
        from feedseg.apps.page.desk import Desk
        from feedseg.apps.page.server import listener, serve
        from feedseg.apps.page.wanted import OWN_TOKENS, SUGGESTED, Offered

    models = tuple(dict.fromkeys(model or (DEFAULT_MODEL, *bundled())))
    desk = Desk(Offered(models, tuple(dict.fromkeys((SUGGESTED, OWN_TOKENS, *(proxy or ()))))), device)
    listening = listener(address, port)  # first, so that what is in the way is said at once
    with status(f"loading {models[0]}", visible=True):
        desk.load(models[0])
    if address not in HERE:
        complain(f"note: everyone who reaches {address} may use the page")

    def ready(where: str) -> None:
        write(f"Look at {where} (Ctrl-C ends it)")
        if browser:
            import webbrowser

            webbrowser.open(where)

    with listening:
        serve(desk, listening, ready)


def bundled() -> list[str]:
    """The models that are in the package."""
    return [card.name for card in CARDS.values() if card.kind == "tower" and card.is_bundled]
