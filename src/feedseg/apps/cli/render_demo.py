"""`feedseg demo`: the sheet of images, the files, and the table of figures."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.text import Text

from feedseg.apps.cli.console import console, facts, plain_table, progress, show, write
from feedseg.apps.cli.render_photographs import SAID, compose_photographs
from feedseg.apps.cli.render_segment import understood
from feedseg.evaluation.demo import (
    FEEDBACKS,
    MODEL,
    WORDS,
    ByFeedback,
    Example,
    draw_example,
    mean_iou_of_targets,
    one_thread,
    segment_all,
)
from feedseg.evaluation.metrics.confusion import intersection_over_union
from feedseg.evaluation.photographs import FEEDBACKS as PHOTOGRAPH_FEEDBACKS
from feedseg.evaluation.photographs import PHOTOGRAPHS, segment_photographs
from feedseg.files import write_atomically
from feedseg.io.palette import class_colours, far_apart
from feedseg.io.sheet import GREY, Entry, Panel, Sheet, draw_sheet, tinted

FEEDBACK_ADVICE = (
    "auto, what segment uses, is calibrated for towers like photo's and the paper's for CLIPs; for small things on few "
    "patches, as here, take calibrated with a CLIP, too"
)
PAPERS_HOSTS = ("clearclip", "clip", "maskclip", "naclip", "proxyclip", "sclip")  # that the feedback's paper is about
SHOWN = 4  # so many scenes, the first ones, are on the sheet
TITLES = {feedback: heading for feedback, (heading, _) in SAID.items()}
MENTIONED = 0.01  # a wrong word is listed below a panel from this fraction of the image on


def demonstrate(out: Path, scenes: int, seed: int, host: str) -> None:
    """Draw scenes, segment them with every host, write the files and say what came of it.

    Args:
        out: the folder for the files.
        scenes: how many scenes are drawn and measured.
        seed: of the first scene; the others have the next ones.
        host: the one whose results are on the sheet and in the files.
    """
    started = time.monotonic()
    hosts = sorted({*PAPERS_HOSTS, host})
    examples = [draw_example(number) for number in range(seed, seed + scenes)]
    save_scenes(out, examples[:SHOWN])  # first, so that a folder that takes no files costs no time
    found: dict[str, ByFeedback] = {}
    with one_thread(), progress(visible=True) as bar:
        task = bar.add_task("scenes", total=scenes * len(hosts) * len(FEEDBACKS))
        for name in hosts:
            found[name] = segment_all(examples, name, lambda: bar.advance(task))
        photographs = bar.add_task("photographs", total=len(PHOTOGRAPHS) * len(PHOTOGRAPH_FEEDBACKS))
        of_photographs = segment_photographs(lambda: bar.advance(photographs))
    for photograph, results in of_photographs:
        for feedback, result in zip(PHOTOGRAPH_FEEDBACKS, results, strict=True):
            result.save(out, f"{photograph.name}.{feedback}")
    sheet = draw_sheet(compose_photographs(of_photographs))
    with write_atomically(out / "photographs.png") as temporary:
        sheet.save(temporary)
    for index, example in enumerate(examples[:SHOWN]):
        for feedback, outcome in zip(FEEDBACKS, found[host], strict=True):
            outcome.results[index].save(out, f"scene-{example.seed}.{feedback}")
    sheet = draw_sheet(compose(examples, found[host], host))
    with write_atomically(out / "demo.png") as temporary:
        sheet.save(temporary)
    report(found, examples, host, out, time.monotonic() - started)


def save_scenes(out: Path, examples: Sequence[Example]) -> None:
    """Write images, and targets as indexed PNGs in the colours of the results."""
    for example in examples:
        target = Image.fromarray(example.target)
        target.putpalette(class_colours(WORDS.names, WORDS.has_background).tobytes())
        for end, image in (("png", Image.fromarray(example.scene.image)), ("truth.png", target)):
            with write_atomically(out / f"scene-{example.seed}.{end}") as temporary:
                image.save(temporary)


def compose(examples: Sequence[Example], outcomes: ByFeedback, host: str) -> Sheet:
    """The sheet: the first examples, their target, and what the host made of them with every feedback."""
    # Grey as pale as the panels show the background; the patterns' words have no colours of their own worth showing.
    colours = np.vstack([[GREY], far_apart(len(WORDS.names) - 1)]).astype(np.uint8)
    shown, everything = seeds(examples[:SHOWN]), f"over {counted(examples)}"
    rows = []
    for index, example in enumerate(examples[:SHOWN]):
        things = ", ".join(dict.fromkeys(thing.name for thing in example.scene.visible_things))
        pixels = example.scene.image
        row = [
            Panel(Image.fromarray(pixels), [[Entry(f"{example.seed}: {things} on {example.scene.background}")]]),
            Panel(tinted(pixels, example.target, colours), [there(example.target, colours)]),
        ]
        for outcome in outcomes:
            drawn = tinted(pixels, outcome.results[index].labels, colours)
            row.append(Panel(drawn, judged(outcome.confusions[index], colours)))
        rows.append(row)
    return Sheet(
        title="Give Feedseg an image and a few words: every pixel gets one of them",
        text=(
            f"A toy model that learnt from captions, never from masks, was asked for {len(WORDS.queries)} words: "
            f"{len(WORDS.classes)} patterns, and {len(WORDS.background)} backgrounds that count as one class. "
            f"Feedback: what the host ({host}) first predicts for the patches corrects which of them attend to which, "
            "and they are predicted again. The paper's has constants that were chosen for CLIP; the calibrated takes "
            "its scales from each image.",
        ),
        legend=[Entry("words", pale=True)]
        + [Entry(name, rgb(colours, label)) for label, name in enumerate(WORDS.names)],
        columns=(
            ("scene", f"{shown}: in order, not chosen"),
            ("truth", "drawn along with the scene"),
            *(
                (f"{TITLES[feedback]}: {outcome.score:.1f}", f"mIoU in percent {everything}")
                for feedback, outcome in zip(FEEDBACKS, outcomes, strict=True)
            ),
        ),
        rows=rows,
        footnote=(
            "Below the results: intersection over union of every class that is there, in percent; mIoU, their mean; "
            f"words for what is not there, if on at least {MENTIONED:.0%} of the image. "
            f"Model {MODEL}. Drawn by feedseg demo, which prints the figures of all hosts."
        ),
    )


def there(target: np.ndarray, colours: np.ndarray) -> list[Entry]:
    """The classes that occur."""
    return [Entry(WORDS.names[label], rgb(colours, label)) for label in map(int, np.unique(target))]


def judged(confusion: np.ndarray, colours: np.ndarray) -> list[list[Entry]]:
    """mIoU, the IoU of every class that is there, and below it the wrong words."""
    ious, target, pred = intersection_over_union(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    right = [Entry(f"mIoU {100 * mean_iou_of_targets(confusion):.0f}")]
    right += [
        Entry(f"{WORDS.names[label]} {100 * ious[label]:.0f}", rgb(colours, label))
        for label in map(int, np.flatnonzero(target))
    ]
    wrong = np.flatnonzero((target == 0) & (pred >= MENTIONED * confusion.sum()))
    if not wrong.size:
        return [right]
    absent = [Entry(WORDS.names[label], rgb(colours, label), pale=True) for label in map(int, wrong)]
    return [right, [Entry("not there:", pale=True), *absent]]


def rgb(colours: np.ndarray, label: int) -> tuple[int, int, int]:
    """A class's colour as Pillow takes it."""
    r, g, b = colours[label].tolist()
    return r, g, b


def seeds(examples: Sequence[Example]) -> str:
    """Which scenes they are, in words."""
    first, last = examples[0].seed, examples[-1].seed
    return f"scene {first}" if first == last else f"scenes {first} to {last}"


def counted(examples: Sequence[Example]) -> str:
    """How many scenes they are, in words."""
    return "1 scene" if len(examples) == 1 else f"{len(examples)} scenes"


def report(found: Mapping[str, ByFeedback], examples: Sequence[Example], host: str, out: Path, seconds: float) -> None:
    """The hosts' mIoU with every feedback, where the files are, and what to try next."""
    screen = console()
    others = FEEDBACKS[1:]
    table = plain_table("host", *FEEDBACKS, *(f"{feedback} better in" for feedback in others))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, (plain, *outcomes) in found.items():
        before = round(plain.score, 1)
        scores = [round(outcome.score, 1) for outcome in outcomes]
        better = [
            sum(
                mean_iou_of_targets(second) > mean_iou_of_targets(first)
                for first, second in zip(plain.confusions, outcome.confusions, strict=True)
            )
            for outcome in outcomes
        ]
        row = (name, f"{before:.1f}", *(f"{score:.1f} ({score - before:+.1f})" for score in scores))
        row += tuple(f"{count} of {len(examples)}" for count in better)
        table.add_row(*(Text(cell) for cell in row), style="bold" if name == host and screen.is_terminal else "")
    show(screen, table)
    shown = examples[:SHOWN]
    rows = (
        ("measure", f"mIoU in percent over {seeds(examples)}, of the classes that are there (gain over none)"),
        ("feedback", FEEDBACK_ADVICE),
        ("words", understood(WORDS)),
        ("model", f"{MODEL}, on the CPU"),
        ("photographs", f"{out / 'photographs.png'}: look at it first; no ground truth, judge by eye"),
        ("scenes", f"{out / 'demo.png'}; all in {seconds:.1f} s"),
        ("beside it", f"of {seeds(shown)}: image, truth, results of {host} with every feedback"),
    )
    show(screen, facts(rows))
    write("Your turn:")
    write(f"  {suggestion(out, shown[0])}")
    write("  feedseg segment your-photograph.jpg --labels dog")


def suggestion(out: Path, example: Example) -> str:
    """A command that segments a scene with other words."""
    scene = shlex.quote(str(out / f"scene-{example.seed}.png"))
    colours = ", ".join(dict.fromkeys(thing.colour for thing in example.scene.visible_things))
    return f'feedseg segment {scene} --model {MODEL} --labels "{colours}" --background {example.scene.background}'
