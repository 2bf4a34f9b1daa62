"""Results that papers report without feedback, to stand beside those that are measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from feedseg.evaluation.toml_files import read_toml
from feedseg.weights.catalog import CARDS

# The catalog's names of the models that papers report on, as they write them.
MODELS = {"vit-b-16": "ViT-B/16 openai", "vit-l-14": "ViT-L/14 openai", "vit-h-14": "ViT-H/14 laion2b"}


@dataclass(frozen=True)
class Published:
    """A published result without feedback."""

    model: str
    host: str
    miou: float  # percent


def published(benchmark: str) -> list[Published]:
    """What the papers report without feedback on a benchmark, in percent; nothing for one that they do not have."""
    table = read_toml(Path(__file__).with_name("published.toml"))
    if benchmark not in table["benchmarks"]:
        return []
    column = table["benchmarks"].index(benchmark)
    return [Published(row["model"], row["host"], row["miou"][column]) for row in table["rows"]]


def published_for(benchmark: str, model: str, host: str, proxy: str | None) -> Published | None:
    """What a paper reports for this model, host and proxy; None where none does.

    Args:
        benchmark: its name.
        model: where its weights come from, as `Segmenter.provenance` names it.
        host: its registered name.
        proxy: as `model`; None where the host uses none.
    """
    title = MODELS.get(card_of(model) or "")
    if title is None or (proxy is not None and card_of(proxy) != "dino-b8"):
        return None
    rows = published(benchmark)
    return next((row for row in rows if row.model == title and row.host.split(" ")[0].lower() == host), None)


def card_of(source: str) -> str | None:
    """The catalog's name of a model or proxy by where its weights come from."""
    origin = source.partition("@")[0]
    return next((card.name for card in CARDS.values() if origin in (card.name, card.repository)), None)
