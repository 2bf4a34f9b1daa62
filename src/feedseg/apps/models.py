"""`feedseg models`: the models that have a short name, and which of them are on this machine."""

from __future__ import annotations

import json
from typing import Any

from huggingface_hub import constants

from feedseg.apps.console import console, plain_table, show
from feedseg.settings import HOST_SETTINGS, Settings
from feedseg.vision.catalog import CARDS, DEFAULT_MODEL, DEFAULT_PROXY, Card
from feedseg.vision.checkpoint import cached_revision

GROUPS = {"tower": "models (--model)", "proxy": "proxies (--proxy)"}


def list_models(*, as_json: bool) -> None:
    """Print the catalog."""
    revisions = {name: cached_revision(card.repository) for name, card in CARDS.items()}
    if as_json:
        print(json.dumps([_as_json(card, revisions[card.name]) for card in CARDS.values()], indent=2))
        return
    screen = console()
    for kind, heading in GROUPS.items():
        table = plain_table(heading, "title", "MB", "licence", "here")
        table.columns[2].justify = "right"
        for column in (0, 2, 4):
            table.columns[column].no_wrap = True
        for card in CARDS.values():
            if card.kind == kind:
                revision = revisions[card.name]
                here = f"yes {revision[:7]}" if revision else "no"
                table.add_row(card.name, card.title, str(card.megabytes), card.licence, here)
        show(screen, table)
    table = plain_table("hosts (--host)", "short side, windows and step in pixels")
    for name, settings in HOST_SETTINGS.items():
        table.add_row(name, _sizes(settings))
    show(screen, table)
    screen.print(f"Left out: {DEFAULT_MODEL}, {DEFAULT_PROXY}, proxyclip. Others: owner/name on the hub, or a folder.")
    screen.print(f"What is fetched is kept in {constants.HF_HUB_CACHE} (HF_HOME).")


def _as_json(card: Card, revision: str | None) -> dict[str, Any]:
    return {**vars(card), "megabytes": card.megabytes, "here": revision is not None, "revision": revision}


def _sizes(settings: Settings) -> str:
    if settings.window is None:
        return f"{settings.short_side}, the whole picture at once"
    return f"{settings.short_side}, {settings.window}, {settings.stride}"
