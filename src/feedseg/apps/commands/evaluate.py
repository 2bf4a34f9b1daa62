"""`feedseg evaluate`: its options. What it does is imported when it runs, so that --help is quick."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from feedseg.apps.options import EXPERT, MODEL, OUTPUT, flag, option
from feedseg.errors import FeedsegError
from feedseg.evaluation.benchmarks import BENCHMARKS
from feedseg.settings import HOST_SETTINGS
from feedseg.vision.catalog import DEFAULT_MODEL, DEFAULT_PROXY

DATA, PROTOCOL, WORK = "Data", "Instead of the protocol's", "How the work is shared and resumed"

EXAMPLES = """Examples:
  feedseg evaluate scenes --model mini --limit 50
  feedseg evaluate voc21 voc20 --data VOCdevkit
  feedseg evaluate coco-stuff --data coco_stuff164k --shards 4
  feedseg evaluate --dataset mine.toml --data photos --protocol host

Exit code: 0 all is well, 1 some pictures failed, 2 nothing could be started,
130 interrupted.
"""


def evaluate(
    benchmarks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BENCHMARKS]", help=f"Published benchmarks: {', '.join(BENCHMARKS)}."),
    ] = None,
    data: Annotated[
        Path | None,
        option(DATA, "ROOT", "The folder that holds the data, or the one above it. `scenes` needs none.", "--data"),
    ] = None,
    dataset: Annotated[
        list[str] | None, option(DATA, "FILE", "A data set of your own, a TOML file; may be repeated.", "--dataset")
    ] = None,
    limit: Annotated[int | None, option(DATA, "N", "Only the first N pictures of every benchmark.", min=1)] = None,
    model: Annotated[
        str,
        option(MODEL, "NAME", "A listed name, owner/name on the hub, or a folder.", "--model", "-m", show_default=True),
    ] = DEFAULT_MODEL,
    host: Annotated[
        str,
        option(MODEL, "NAME", f"How patches attend to each other: {', '.join(HOST_SETTINGS)}.", show_default=True),
    ] = "proxyclip",
    proxy: Annotated[
        str | None,
        option(MODEL, "NAME", f"The encoder that guides proxyclip; beside a CLIP it is {DEFAULT_PROXY}."),
    ] = None,
    feedback: Annotated[
        bool | None, flag(MODEL, "--feedback/--no-feedback", "Measure only with feedback, or only without.")
    ] = None,
    both: Annotated[
        bool,
        flag(MODEL, "--both", "Measure without and with feedback, and the control: host attention twice. The default."),
    ] = False,
    device: Annotated[str | None, option(MODEL, "NAME", "cpu, cuda, cuda:1, mps; the best there is.")] = None,
    dtype: Annotated[str | None, option(MODEL, "TYPE", "fp32, fp16 or bf16.")] = None,
    protocol: Annotated[
        str,
        option(
            PROTOCOL,
            "NAME|FILE",
            "fsa, host (that of the host's paper), one by its name, or a TOML file.",
            "--protocol",
            show_default=True,
        ),
    ] = "fsa",
    short_side: Annotated[int | None, option(PROTOCOL, "N", "Resize the short side to N pixels.", min=1)] = None,
    window: Annotated[str | None, option(PROTOCOL, "N|none", "Windows of N pixels; none: the whole picture.")] = None,
    stride: Annotated[int | None, option(PROTOCOL, "N", "Pixels from one window to the next.", min=1)] = None,
    logit_scale: Annotated[float | None, option(PROTOCOL, "X", "Cosines times this before the softmax.")] = None,
    threshold: Annotated[float | None, option(PROTOCOL, "P", "Less probable pixels become background.")] = None,
    vocabulary: Annotated[
        Path | None, option(PROTOCOL, "FILE", "Other words for the classes, in their order.", "--vocabulary", "-v")
    ] = None,
    out: Annotated[
        str, option(OUTPUT, "DIR", "The folder for journals and report.", "--out", "-o", show_default=True)
    ] = "feedseg-evaluation",
    workers: Annotated[
        int, option(WORK, "N", "Threads that read pictures and masks ahead.", min=1, show_default=True)
    ] = 2,
    shards: Annotated[
        int, option(WORK, "N", "Processes on this machine; on CUDA each on a device.", min=1, show_default=True)
    ] = 1,
    shard: Annotated[
        str | None, option(WORK, "K/N", "Measure only the K-th of N shares, for clusters; see docs/benchmarks.md.")
    ] = None,
    class_token: Annotated[
        bool | None, flag(EXPERT, "--class-token/--no-class-token", "Let patches attend to the class token, or not.")
    ] = None,
    residual: Annotated[
        bool | None,
        flag(EXPERT, "--residual/--no-residual", "Keep the last block's residual and feed-forward, or not."),
    ] = None,
) -> None:
    """Measure mIoU on benchmarks, without and with feedback, and write a report.

    The same command goes on where an interrupted one has stopped. The folder of the results gets report.html,
    report.md, report.json, and a journal of every picture.
    """
    from feedseg.apps.inputs import check_writable

    variants = chosen_variants(feedback, both)
    asked = (*(benchmarks or ()), *(dataset or ()))
    if not asked:
        raise FeedsegError(f"say what to measure on: {', '.join(BENCHMARKS)}, or --dataset FILE")
    part = parse_share(shard)
    if part is not None and shards > 1:
        raise FeedsegError("--shard is one share of the work, and --shards splits all of it: give one of them")
    folder = check_writable(out)

    from feedseg.apps.evaluate import evaluate as run
    from feedseg.apps.experiments import Request
    from feedseg.evaluation.journal import Share

    request = Request(
        benchmarks=asked,
        data=data,
        model=model,
        options=loading_options(host, proxy, device, dtype, class_token, residual),
        protocol=protocol,
        changes=changes_of(short_side, window, stride, logit_scale),
        threshold=threshold,
        vocabulary=vocabulary,
        limit=limit,
        workers=workers,
        out=folder,
        variants=variants,
    )
    raise typer.Exit(run(request, shards, None if part is None else Share(*part)))


def chosen_variants(feedback: bool | None, both: bool) -> tuple[str, ...]:
    """What --feedback, --no-feedback and --both ask for."""
    if both and feedback is not None:
        raise FeedsegError("--both stands beside --feedback or --no-feedback: give one of them")
    if feedback is None:
        return ("without", "feedback", "control")
    return ("feedback",) if feedback else ("without",)


def parse_share(text: str | None) -> tuple[int, int] | None:
    """ "2/8" as (2, 8)."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise FeedsegError(f"--shard is a share such as 2/8, the second of eight, not {text!r}")
    return int(match[1]), int(match[2])


def loading_options(
    host: str, proxy: str | None, device: str | None, dtype: str | None, class_token: bool | None, residual: bool | None
) -> dict[str, Any]:
    """What `Segmenter.load` is told, with feedback, whose constants are needed in any case."""
    return {
        "host": host,
        "proxy": proxy,
        "feedback": True,
        "device": device,
        "dtype": dtype,
        "class_token": class_token,
        "residual": residual,
    }


def changes_of(
    short_side: int | None, window: str | None, stride: int | None, logit_scale: float | None
) -> dict[str, Any]:
    """What is to be otherwise than in the protocol."""
    given = {"short_side": short_side, "stride": stride, "logit_scale": logit_scale}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if window is not None:
        if window.lower() != "none" and not (window.isdecimal() and int(window) > 0):
            raise FeedsegError(f"--window is a number of pixels or none, not {window!r}")
        changes["window"] = None if window.lower() == "none" else int(window)
    return changes
