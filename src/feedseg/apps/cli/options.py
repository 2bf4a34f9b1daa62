"""Options that several commands share: their panels in --help, and how an option is declared."""

from __future__ import annotations

from typing import Any

import typer

WORDS, MODEL, SIZE, OUTPUT = "What to look for", "Model", "Picture size (each host has its own)", "Output"
EXPERT = "For experiments (left out: as published, and what suits the device)"


def option(panel: str, metavar: str, text: str, *names: str, **more: Any) -> Any:
    """An option with a value; called like the parameter unless it has `names`."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=panel, **{"show_default": False, **more})


def flag(panel: str, names: str, text: str) -> Any:
    """An option without a value."""
    return typer.Option(names, metavar="", help=text, rich_help_panel=panel, show_default=False)
