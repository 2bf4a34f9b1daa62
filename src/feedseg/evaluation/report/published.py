"""Results that papers report, to stand beside those that are measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from feedseg.evaluation.toml_files import read_toml
from feedseg.weights.catalog import CARDS

# The catalog's names of the models that papers report on, as they write them; then of the proxies.
MODELS = {"vit-b-16": "ViT-B/16 openai", "vit-l-14": "ViT-L/14 openai", "vit-h-14": "ViT-H/14 laion2b"}
PROXIES = {"dino-b8": "DINO-B/8"}


@dataclass(frozen=True)
class Published:
    """A published result. What is None is not recorded of it, and of none is the protocol."""

    miou: float  # percent
    model: str | None
    host: str | None
    proxy: str | None
    feedback: bool = False  # whether it is the paper's with its feedback

    @property
    def title(self) -> str:
        """What was measured, in words."""
        if self.host is None:
            return "FSA, best configuration, from a listing"
        proxy = "" if self.proxy is None else f" with {self.proxy}"
        return f"{self.host} on {self.model}{proxy}"


def published(benchmark: str) -> list[Published]:
    """What is published of a benchmark: the hosts without feedback, then, where it is known, with feedback."""
    table = read_toml(Path(__file__).with_name("published.toml"))
    if benchmark not in table["benchmarks"]:
        return []
    column = table["benchmarks"].index(benchmark)
    found = [Published(row["miou"][column], row["model"], row["host"], row.get("proxy")) for row in table["rows"]]
    fed_back = table["feedback"]
    if benchmark in fed_back:
        found.append(Published(fed_back[benchmark], None, None, None, feedback=True))
    return found


def published_for(benchmark: str, model: str, host: str, proxy: str | None) -> Published | None:
    """What a paper reports for this model, host and proxy without feedback; None where none does.

    Args:
        benchmark: its name.
        model: where its weights come from, as `Segmenter.provenance` names it.
        host: its registered name.
        proxy: as `model`; None where the host uses none.
    """
    title = title_of(model)
    if proxy is not None and card_of(proxy) not in PROXIES:
        return None
    rows = (row for row in published(benchmark) if row.host is not None)
    return next((row for row in rows if row.model == title and same_host(row, host)), None)


def same_host(row: Published, host: str) -> bool:
    """Whether a result is one of the host with this registered name."""
    return row.host is not None and row.host.lower() == host


def title_of(model: str) -> str | None:
    """What papers call a model by where its weights come from; None for one that they do not report on."""
    return MODELS.get(card_of(model) or "")


def card_of(source: str) -> str | None:
    """The catalog's name of a model or proxy by where its weights come from."""
    origin = source.partition("@")[0]
    return next((card.name for card in CARDS.values() if origin in (card.name, card.repository)), None)
