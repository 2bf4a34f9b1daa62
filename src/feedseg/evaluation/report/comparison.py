"""What was measured beside what papers report: the numbers, the protocol that made them, and all that differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from feedseg.evaluation.experiment import NONE, PAPER, Bench, class_name, words_hash
from feedseg.evaluation.metrics.results import Result
from feedseg.evaluation.protocols.protocol import load_protocol
from feedseg.evaluation.report.published import PROXY, PROXY_TITLE, Published, card_of, published, same_host, title_of
from feedseg.evaluation.report.tables import NOTHING, Table, percent, signed

# Their papers have lists of class names of their own; the benchmarks here ask for those of ProxyCLIP and FSA.
_OTHER_NAMES = ("sclip", "clearclip", "naclip")


@dataclass(frozen=True)
class Comparison:
    """A published result, what was measured here in its place, and in what the two differ."""

    published: Published
    measured: float | None  # mIoU, 0 to 1; None where that variant was not measured
    models: tuple[str, ...]  # differences of model, host and proxy
    others: tuple[str, ...]  # differences of images, words and settings

    @property
    def differences(self) -> str:
        """All of them, in words."""
        return "; ".join((*self.models, *self.others)) or "nothing that is known of"


def comparisons(bench: Bench, result: Result) -> list[Comparison]:
    """Published results of the same host, or, where there are none, of the same model; those with feedback too.

    The nearest come first.
    """
    rows = published(bench.experiment.benchmark.name)
    host, model = bench.segmenter.encoder.host.name, title_of(bench.segmenter.provenance()["model"]["name"])
    near = [row for row in rows if same_host(row, host)] or [row for row in rows if row.model == model]
    found = [_compared(row, bench, result) for row in (*near, *(row for row in rows if row.feedback))]
    return sorted(found, key=lambda one: (one.published.feedback, len(one.models)))


def comparison_table(found: list[Comparison]) -> Table:
    """The published results as rows."""
    rows = []
    for one in found:
        row = one.published
        measured = one.measured
        rows.append(
            (
                row.title,
                "with FSA" if row.feedback else "without",
                f"{row.miou:.1f}",
                percent(measured),
                NOTHING if measured is None else signed(measured - row.miou / 100),
                "not recorded" if row.protocol is None else row.protocol,
                one.differences,
            )
        )
    headings = ("published", "feedback", "mIoU", "here", "difference", "its protocol", "what differs here")
    note = "Published numbers are over all images, in percent; reproductions differ from them by about a point."
    return Table("Published results", headings, rows, note)


def _compared(row: Published, bench: Bench, result: Result) -> Comparison:
    one = result.variants.get(PAPER if row.feedback else NONE)
    measured = None if one is None or not result.names else one.miou.value
    return Comparison(row, measured, tuple(_models(row, bench)), tuple(_others(row, bench, result)))


def _models(row: Published, bench: Bench) -> Iterator[str]:
    made_with = bench.segmenter.provenance()
    name, host = made_with["model"]["name"], bench.segmenter.encoder.host.name
    proxy = made_with["proxy"]["name"] if "proxy" in made_with else None
    if row.host is None:
        yield "its model, host and proxy are not recorded"
        return
    if row.model != (title_of(name) or name):
        yield f"model {row.model}, here {short(name)}"
    if not same_host(row, host):
        yield f"host {row.host}, here {host}"
    elif proxy is not None and card_of(proxy) != PROXY:
        yield f"proxy {row.proxy or f'not recorded, usually {PROXY_TITLE}'}, here {short(proxy)}"


def _others(row: Published, bench: Bench, result: Result) -> Iterator[str]:
    experiment = bench.experiment
    benchmark, words = experiment.benchmark, experiment.vocabulary
    if benchmark.count is not None and len(result.names) != benchmark.count:
        yield f"all {benchmark.count} images, here {len(result.names)}"
    if words_hash(words) != words_hash(benchmark.vocabulary()):
        yield "the benchmark's words, here others"
    elif row.protocol in _OTHER_NAMES:
        yield "that paper's own list of class names, here ProxyCLIP's and FSA's"
    if row.protocol is None:
        yield "its settings are not recorded"
        return
    theirs = load_protocol(row.protocol, benchmark.name, bench.segmenter.encoder.host)
    if theirs.threshold != words.threshold:
        yield f"threshold {theirs.threshold:g}, here {words.threshold:g}"
    for one in fields(theirs.settings):
        before, now = (getattr(settings, one.name) for settings in (theirs.settings, experiment.settings))
        if before != now:
            yield f"{one.name.replace('_', ' ')} {_shown(before)}, here {_shown(now)}"
    refiners = [one if isinstance(one, str) else class_name(one) for one in experiment.refiners]
    if "SmallAreas" in refiners and theirs.smallest_area is not None:
        refiners.remove("SmallAreas")
    elif theirs.smallest_area is not None:
        yield "small classes removed, here kept"
    if refiners:
        yield f"no refiner, here {', '.join(refiners)}"


def _shown(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def short(name: str) -> str:
    """A model's name without the folders above it, and without its revision."""
    return name.partition("@")[0].rstrip("/").rpartition("/")[2] or name
