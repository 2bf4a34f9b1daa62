"""What a report begins with: what was measured, by what, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feedseg.evaluation.experiment import CONTROL, NONE, described, variant_title
from feedseg.evaluation.report.benchmark import BenchmarkReport, shown
from feedseg.evaluation.report.comparison import short
from feedseg.evaluation.report.tables import NOTHING, Table, percent, points, signed
from feedseg.evaluation.suite import Average, average


@dataclass(frozen=True)
class Finding:
    """What one variant comes to on one benchmark, in a sentence."""

    benchmark: str
    variant: str
    gain: str
    text: str


def head(reports: Sequence[BenchmarkReport]) -> list[tuple[str, str]]:
    """Model, host, proxy, feedback and protocol; the benchmarks of a report share all but the last."""
    bench = reports[0].bench
    models, host = bench.segmenter.provenance(), bench.segmenter.encoder.host
    facts = [
        ("Model", _model(models["model"])),
        ("Host", f"{host.name} ({host.citation})" if host.citation else host.name),
        ("Proxy", _model(models["proxy"]) if "proxy" in models else "none"),
        ("Feedback", "; ".join(_variant(name, one) for name, one in bench.experiment.variants.items())),
    ]
    facts += [("Protocol", text) for text in _protocols(reports)]
    images = ", ".join(
        f"{len(one.result.names):,} of {one.bench.experiment.benchmark.count or one.result.wanted:,} of {one.name}"
        for one in reports
    )
    return [*facts, ("Images", images)]


def _model(one: dict[str, str]) -> str:
    name, revision = short(one["name"]), one["revision"]
    return f"{name} ({revision[:19]})" if revision and revision not in name else name


def _variant(name: str, feedback: object) -> str:
    constants = described(feedback) or {}
    values = ", ".join(f"{key.replace('_', ' ')} {shown(value)}" for key, value in constants.items() if key != "kind")
    title = "none" if name == NONE else variant_title(name).removeprefix("with ")
    return title if name in (NONE, CONTROL) or not values else f"{title} ({values})"


def _protocols(reports: Sequence[BenchmarkReport]) -> list[str]:
    """A line for every protocol, with its benchmarks where there are several."""
    lines: dict[str, list[str]] = {}
    for one in reports:
        experiment, settings = one.bench.experiment, one.bench.experiment.settings
        window = "the whole image" if settings.window is None else f"windows of {shown(settings.window)}"
        steps = "" if settings.window is None or settings.stride is None else f", stride {shown(settings.stride)}"
        second = f", a second view of {shown(settings.second_view)}" if settings.second_view else ""
        threshold = f", threshold {shown(experiment.vocabulary.threshold)}" if experiment.vocabulary.threshold else ""
        line = (
            f"{experiment.protocol}: short side {settings.short_side}, {window}{steps}, "
            f"scale {shown(settings.logit_scale)}{second}{threshold}"
        )
        lines.setdefault(line, []).append(one.name)
    return [line if len(reports) == 1 else f"{line} ({', '.join(names)})" for line, names in lines.items()]


def findings(reports: Sequence[BenchmarkReport]) -> list[Finding]:
    """Every feedback on every benchmark."""
    return [
        Finding(one.name, variant_title(name), points(gain), judgement.text)
        for one in reports
        for name, judgement in one.judgements.items()
        if (gain := one.gain(name)) is not None
    ]


def average_of(reports: Sequence[BenchmarkReport]) -> Average | None:
    """The mean over the suite's benchmarks among the reports."""
    return average(
        {one.name: {name: found.miou.value for name, found in one.result.variants.items()} for one in reports}
    )


def average_table(reports: Sequence[BenchmarkReport]) -> Table | None:
    """mIoU by benchmark and variant with the mean, as papers give them; None where there is no mean."""
    if (mean := average_of(reports)) is None:
        return None
    by_name = {one.name: one for one in reports}
    rows: list[tuple[str, ...]] = [
        (
            variant_title(name),
            *(percent(by_name[one].result.variants[name].miou.value) for one in mean.present),
            percent(value),
            signed(value - mean.variants[NONE]) if NONE in mean.variants and name != NONE else NOTHING,
        )
        for name, value in mean.variants.items()
    ]
    if paper := _published(by_name, mean):
        rows.append(paper)
    note = f"{mean.text[0].upper()}{mean.text[1:]}. It has no interval: benchmarks share photographs."
    partial = [
        one
        for one in mean.present
        if len(by_name[one].result.names) != (by_name[one].bench.experiment.benchmark.count or 0)
    ]
    if partial:
        note += f" Not all images were measured of {', '.join(partial)}, so it is not to be compared with papers'."
    return Table("Average", ("", *mean.present, "mean", "gain"), rows, note)


def _published(by_name: dict[str, BenchmarkReport], mean: Average) -> tuple[str, ...] | None:
    """The published row of this very model, host and proxy."""
    rows = [by_name[one].published for one in mean.present]
    known = [row for row in rows if row is not None]
    if not known or len(known) < len(rows):
        return None
    return (
        f"published: {known[0].title}",
        *(f"{row.miou:.1f}" for row in known),
        f"{sum(row.miou for row in known) / len(known):.1f}",
        NOTHING,
    )
