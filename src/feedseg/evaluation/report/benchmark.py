"""What a report says of a benchmark, whatever it is written in."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from feedseg.engine.journal import flattened
from feedseg.evaluation.datasets.samples import Sample
from feedseg.evaluation.experiment import CALIBRATED, CONTROL, NONE, PAPER, Bench, variant_title, with_feedback
from feedseg.evaluation.metrics.bootstrap import Interval, few_note
from feedseg.evaluation.metrics.confusion import largest_mistakes
from feedseg.evaluation.metrics.ranking import shown_variant
from feedseg.evaluation.metrics.results import Result, VariantResult
from feedseg.evaluation.metrics.verdicts import Judgement, judge
from feedseg.evaluation.report.comparison import Comparison, comparison_table, comparisons
from feedseg.evaluation.report.presets import preset_tables
from feedseg.evaluation.report.published import Published, card_of, published_for
from feedseg.evaluation.report.tables import NOTHING, Table, percent, points, signed, with_interval
from feedseg.io.reading import HERE, FileReader
from feedseg.weights.catalog import CARDS

HEADINGS = {NONE: "without", PAPER: "with feedback", CALIBRATED: "calibrated", CONTROL: "control"}
MISTAKES = 12  # how many pairs of classes are listed
_EXPLAINED = (
    "mIoU is the mean over the classes that occur, from one confusion matrix over all images, in percent; gain is "
    "the difference to the host without feedback, in points. In brackets: paired bootstrap 95 % intervals over "
    "images. The control smooths as feedback does, but knows nothing of the words: a gain is called one only if its "
    "interval is above zero, and so is that of what it has more than the control. How many images an effect needs: for "
    "95 % intervals that show it in 80 % of such samples. Boundary F: outlines of "
    "every class, matched within 0.75 % of the image's diagonal."
)
_TIMES = (
    "Seconds are medians. Encode: resizing, the tower, the proxy and the host's attention, once for all variants. "
    "Whatever is measured after the first variant starts from the embeddings that this one has made."
)
_CLASSES = (
    "IoU in percent; a dash where a class is in neither target nor prediction. "
    "Fraction: of the targets' pixels, in percent."
)


@dataclass(frozen=True, eq=False)
class BenchmarkReport:
    """A benchmark's part of the report."""

    bench: Bench
    samples: Sequence[Sample]
    result: Result
    notes: tuple[str, ...] = ()  # what is worth knowing of its data and how they are looked at
    reader: FileReader = HERE  # of the images that are shown

    @property
    def name(self) -> str:
        return self.bench.experiment.benchmark.name

    def gain(self, variant: str) -> Interval | None:
        """mIoU of a variant less that without feedback; None where one of the two was not measured."""
        return self._gains.get(variant)

    @cached_property
    def _gains(self) -> dict[str, Interval]:
        if NONE not in self.result.variants:
            return {}
        return {name: self.result.gain(name, NONE) for name in self.result.variants if name != NONE}

    @cached_property
    def judgements(self) -> dict[str, Judgement]:
        """What may be said of every gain but the control's."""
        found = {}
        for name in with_feedback(self._gains):
            over = self.result.gain(name, CONTROL) if CONTROL in self.result.variants else None
            found[name] = judge(self._gains[name], over, len(self.result.names))
        return found

    @cached_property
    def published(self) -> Published | None:
        """What a paper gives for this model and host without feedback."""
        models = self.bench.segmenter.provenance()
        proxy = models["proxy"]["name"] if "proxy" in models else None
        return published_for(self.name, models["model"]["name"], self.bench.segmenter.encoder.host.name, proxy)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """What papers report, the nearest first, and how it differs."""
        return comparisons(self.bench, self.result)

    def tables(self) -> list[Table]:
        """What stands before the images."""
        compared = [comparison_table(self.comparisons)] if self.comparisons else []
        return [
            self._overview(),
            *preset_tables(self.bench, self.result),
            *self._failures(),
            *compared,
            self._classes(),
            self._mistakes(),
        ]

    def details(self) -> Table:
        """What stands behind them."""
        return self._settings()

    def _overview(self) -> Table:
        result = self.result
        rows = [
            (*_overview_row(variant_title(name), one, self.gain(name)), self._verdict(name))
            for name, one in result.variants.items()
        ]
        notes = [f"{len(result.names)} images of {result.wanted} that were asked for"]
        whole = self.bench.experiment.benchmark.count
        notes[0] += f"; the benchmark has {whole}." if whole and whole != result.wanted else "."
        if result.failed or result.missing:
            notes.append(f"{len(result.failed)} could not be measured, {result.missing} were not tried yet.")
        notes += [f"{note[:1].upper()}{note[1:]}." for note in self.notes]
        notes += [note for note in (few_note(len(result.names)), _EXPLAINED) if note]
        headings = ("", "mIoU", "gain", "pixel accuracy", "class accuracy", "boundary F", "verdict")
        return Table("Result", headings, rows, " ".join(notes))

    def _verdict(self, variant: str) -> str:
        return self.judgements[variant].text if variant in self.judgements else NOTHING

    def _settings(self) -> Table:
        facts = [(key.replace(".", ": ").replace("_", " "), shown(value)) for key, value in self.settings().items()]
        return Table("Settings", ("what", "value"), facts, _TIMES)

    def settings(self) -> dict[str, Any]:
        """What the numbers depend on, and what it took, flat."""
        experiment, result = self.bench.experiment, self.result
        seconds = {f"seconds per image: {part}": round(value, 4) for part, value in result.seconds.items()}
        memory = None if result.memory is None else f"{result.memory / 2**20:.0f} MB"
        return {
            "protocol": experiment.protocol,
            "constants of the feedback": constants_note(self.bench),
            **flattened({key: value for key, value in self.bench.fingerprint().items() if key != "boundaries"}),
            **{f"{role}": one["name"] for role, one in self.bench.segmenter.provenance().items()},
            **seconds,
            "peak memory": memory,
        }

    def _classes(self) -> Table:
        variants = self.result.variants
        columns = {HEADINGS.get(name, name): [percent(iou) for iou in one.by_class] for name, one in variants.items()}
        fed_back = with_feedback(variants) if NONE in variants else []
        for name in fed_back:
            difference = variants[name].by_class - variants[NONE].by_class
            heading = "difference" if len(fed_back) == 1 else f"{HEADINGS.get(name, name)}: gain"
            columns[heading] = [signed(one) for one in difference]
        targets = next(iter(variants.values())).target.sum(axis=0)
        columns["fraction"] = [f"{100 * pixels / max(1, targets.sum()):.2f}" for pixels in targets]
        names = self.bench.experiment.vocabulary.names
        return Table("Classes", ("class", *columns), list(zip(names, *columns.values(), strict=True)), _CLASSES)

    def _mistakes(self) -> Table:
        variant = shown_variant(self.result.variants)
        names = self.bench.experiment.vocabulary.names
        rows = [
            [names[one.target], names[one.pred], percent(one.fraction), f"{one.pixels:,}"]
            for one in largest_mistakes(self.result.variants[variant].confusion, MISTAKES)
        ]
        title = f"Largest mistakes {variant_title(variant)}"
        return Table(title, ("target", "prediction", "percent of the target class", "pixels"), rows)

    def _failures(self) -> list[Table]:
        rows = [(failure.item, failure.reason) for failure in self.result.failed]
        return [Table("Images that could not be measured", ("image", "why"), rows)] if rows else []

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON has it; fractions are 0 to 1, and null where there is nothing to count."""
        experiment, result, paper = self.bench.experiment, self.result, self.published
        names = experiment.vocabulary.names
        return {
            "benchmark": self.name,
            "title": experiment.benchmark.title,
            "source": experiment.benchmark.source,
            "images": {
                "asked": result.wanted,
                "measured": len(result.names),
                "failed": {failure.item: failure.reason for failure in result.failed},
                "in the benchmark": experiment.benchmark.count,
            },
            "variants": {name: _figures(one) for name, one in result.variants.items()},
            "gains": {name: asdict(value) for name, value in self._gains.items()},
            "verdicts": {
                name: {"verdict": one.verdict.name.lower(), "text": one.text, "needed images": one.needed}
                for name, one in self.judgements.items()
            },
            "published": None if paper is None else asdict(paper),
            "comparisons": [{**asdict(one), "differences": one.differences} for one in self.comparisons],
            "classes": [
                {
                    "name": name,
                    "words": list(experiment.vocabulary.words[index]),
                    "iou": {key: float(one.by_class[index]) for key, one in result.variants.items()},
                    "accuracy": {key: float(one.accuracy_by_class[index]) for key, one in result.variants.items()},
                }
                for index, name in enumerate(names)
            ],
            "mistakes": {
                key: [
                    {**asdict(one), "target": names[one.target], "pred": names[one.pred]}
                    for one in largest_mistakes(variant.confusion, MISTAKES)
                ]
                for key, variant in result.variants.items()
            },
            "by_image": {
                name: {key: float(one.by_image[index]) for key, one in result.variants.items()}
                for index, name in enumerate(result.names)
            },
            "seconds": dict(result.seconds),
            "peak_memory": result.memory,
            "protocol": experiment.protocol,
            "constants": constants_note(self.bench),
            "made_with": self.bench.fingerprint(),
            "models": self.bench.segmenter.provenance(),
            "names": list(names),
        }


def _overview_row(title: str, one: VariantResult, gain: Interval | None) -> tuple[str, ...]:
    return (
        title,
        with_interval(one.miou),
        NOTHING if gain is None else points(gain),
        percent(one.pixel_accuracy),
        percent(one.mean_class_accuracy),
        percent(one.boundary_score),
    )


def _figures(one: VariantResult) -> dict[str, Any]:
    return {
        "miou": asdict(one.miou),
        "pixel_accuracy": one.pixel_accuracy,
        "mean_class_accuracy": one.mean_class_accuracy,
        "boundary_f": one.boundary_score,
        "confusion": one.confusion.tolist() if len(one.confusion) <= 200 else None,
    }


def constants_note(bench: Bench) -> str:
    """For which models the constants of the paper's feedback were chosen, and whether this is one."""
    chosen_for = "chosen in the paper for the cosines of"
    name = card_of(bench.segmenter.provenance()["model"]["name"])
    if name is not None and CARDS[name].title.startswith("CLIP"):
        return f"{chosen_for} CLIP, which this model is"
    return f"{chosen_for} OpenAI's and LAION's CLIP; whether they suit this model, `feedseg sweep` tells"


def hardware(bench: Bench) -> dict[str, Any]:
    """The machine that the report was written on, and the versions of what computes."""
    device = bench.segmenter.device
    return {
        "feedseg": version("feedseg"),
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "transformers", "numpy", "pillow")},
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def shown(value: object) -> str:
    """A setting as text."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        parts = ((str(key).replace("_", " "), each) for key, each in value.items())
        return ", ".join(
            f"{key} ({shown(each)})" if isinstance(each, Mapping) else f"{key} {shown(each)}" for key, each in parts
        )
    return f"{value:g}" if isinstance(value, float) else str(value)
