"""`feedseg models`: its options."""

from __future__ import annotations

from typing import Annotated

import typer


def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False) -> None:
    """List what can be chosen by name: models with size, licence and whether they are here; hosts; and more."""
    from feedseg.apps.cli.render_models import list_models

    list_models(as_json=as_json)
