"""`feedseg models`: its options."""

from __future__ import annotations

from typing import Annotated

import typer

from feedseg.errors import FeedsegError


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A model whose words are listed, as --model takes it.")
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="List the words that the model knows, one a line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """List what can be chosen by name: models with size, licence and whether they are here; hosts; and more.

    feedseg models NAME --words lists the words that a model has learnt.
    """
    if words and name is None:
        raise FeedsegError("--words lists the words of one model: feedseg models NAME --words")
    if name is not None and not words:
        raise FeedsegError(f"to list what {name} knows, add --words; without a name all models are listed")
    if name is not None:
        from feedseg.apps.cli.render_words import list_words

        list_words(name, as_json=as_json)
        return
    from feedseg.apps.cli.render_models import list_models

    list_models(as_json=as_json)
