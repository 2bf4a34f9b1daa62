"""What was measured beside what papers report: the numbers, and all that is known to differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from feedseg.evaluation.experiment import NONE, PAPER, Bench, words_hash
from feedseg.evaluation.metrics.results import Result
from feedseg.evaluation.report.published import PROXIES, Published, card_of, published, same_host, title_of
from feedseg.evaluation.report.tables import NOTHING, Table, percent, signed


@dataclass(frozen=True)
class Comparison:
    """A published result, what was measured here in its place, and in what the two differ."""

    published: Published
    measured: float | None  # mIoU, 0 to 1; None where that variant was not measured
    models: tuple[str, ...]  # differences of model, host and proxy
    others: tuple[str, ...]  # differences of images and words, and what is not recorded

    @property
    def differences(self) -> str:
        """All of them, in words."""
        return "; ".join((*self.models, *self.others))


def comparisons(bench: Bench, result: Result) -> list[Comparison]:
    """Published results of the same host, or, where there are none, of the same model; those with feedback too.

    The nearest come first.
    """
    rows = published(bench.experiment.benchmark.name)
    without = [row for row in rows if not row.feedback]
    host, model = bench.segmenter.encoder.host.name, title_of(bench.segmenter.provenance()["model"]["name"])
    near = [row for row in without if same_host(row, host)] or [row for row in without if row.model == model]
    found = [_compared(row, bench, result) for row in (*near, *(row for row in rows if row.feedback))]
    return sorted(found, key=lambda one: (one.published.feedback, one.published.model != model, len(one.models)))


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
                one.differences,
            )
        )
    headings = ("published", "feedback", "mIoU", "here", "difference", "what differs here")
    note = "Published numbers are over all images, in percent; reproductions differ from them by about a point."
    return Table("Published results", headings, rows, note)


def _compared(row: Published, bench: Bench, result: Result) -> Comparison:
    one = result.variants.get(PAPER if row.feedback else NONE)
    measured = None if one is None or not result.names else one.miou.value
    return Comparison(row, measured, tuple(_models(row, bench)), tuple(_others(bench, result)))


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
    elif proxy is not None and row.proxy is None:
        yield f"its proxy is not recorded, here {short(proxy)}"
    elif proxy is not None and PROXIES.get(card_of(proxy) or "") != row.proxy:
        yield f"proxy {row.proxy}, here {short(proxy)}"


def _others(bench: Bench, result: Result) -> Iterator[str]:
    experiment = bench.experiment
    benchmark = experiment.benchmark
    if benchmark.count is not None and len(result.names) != benchmark.count:
        yield f"all {benchmark.count} images, here {len(result.names)}"
    if words_hash(experiment.vocabulary) != words_hash(benchmark.vocabulary()):
        yield "the benchmark's words, here others"
    yield "its protocol is not recorded"


def short(name: str) -> str:
    """A model's name without the folders above it, and without its revision."""
    return name.partition("@")[0].rstrip("/").rpartition("/")[2] or name
