"""`feedseg models` on the terminal: what can be chosen by name, and which models are on this machine."""

from __future__ import annotations

import json
from typing import Any

from huggingface_hub import constants

from feedseg.apps.cli.console import console, facts, plain_table, show, write
from feedseg.decode.refiners import REFINERS
from feedseg.vision.feedback import AUTO, FEEDBACKS, NO_FEEDBACK
from feedseg.vision.hosts import HOSTS
from feedseg.weights.catalog import CARDS, DEFAULT_MODEL, DEFAULT_PROXY, Card
from feedseg.weights.hub import cached_revision

GROUPS = {"tower": "--model", "proxy": "--proxy"}


def list_models(*, as_json: bool) -> None:
    """Print the catalog."""
    revisions = {
        name: "package" if card.is_bundled else cached_revision(card.repository) for name, card in CARDS.items()
    }
    if as_json:
        write(json.dumps([_as_json(card, revisions[card.name]) for card in CARDS.values()], indent=2))
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
    table = plain_table("--host", "short side", "window", "stride")
    for name in HOSTS.names():
        settings = HOSTS.load(name).settings
        table.add_row(name, str(settings.short_side), str(settings.window), str(settings.stride))
    for column in table.columns[1:]:
        column.justify = "right"
    show(screen, table)
    rows = (
        ("--feedback", ", ".join((AUTO, *FEEDBACKS.names(), NO_FEEDBACK))),
        ("--refiner", ", ".join(REFINERS.names()) or "none that has a name yet"),
        ("your own", "package.module:Name of a host, proxy, feedback or refiner"),
        ("default", f"{DEFAULT_MODEL} with {DEFAULT_PROXY}, host proxyclip"),
        ("others", "owner/name of a model on the hub, or a folder"),
        ("kept in", f"{constants.HF_HUB_CACHE} (HF_HOME)"),
    )
    show(screen, facts(rows))


def _as_json(card: Card, revision: str | None) -> dict[str, Any]:
    about = {name: value for name, value in vars(card).items() if name not in ("settings", "proxy")}
    return {**about, "megabytes": card.megabytes, "here": revision is not None, "revision": revision}
