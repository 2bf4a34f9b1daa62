"""Commands that write, small and quick, for tests of what they do on a disk or in a folder that takes nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from feedseg.apps.cli import run_segment
from feedseg.apps.cli.main import main
from feedseg.evaluation.metrics import ranking
from feedseg.evaluation.scenes import draw_scene
from feedseg.io.images import RgbImage, decode_image
from feedseg.io.limits import FileLimits
from feedseg.segmentation import Segmentation
from feedseg.segmenter import Segmenter
from measuring import QUICK, journal_lines, write_dataset
from tiny_rasters import patches, write_raster
from tiny_videos import pictures, write_video

FORMATS = "masks coco csv cvat label-studio yolo".split()  # beside labels and json, which are there in any case
WORDS = "striped, dotted, bricks"
TOY = ["--model", "mini", "--device", "cpu"]
SMALL = ["--short-side", "48", "--window", "none", *TOY]
Files = dict[str, bytes]


class InThisProcess:
    """Decodes where it is asked to, which is quicker than a process for each of many runs."""

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def start(self) -> None:
        return

    def __call__(self, content: bytes, name: str, limits: FileLimits) -> RgbImage:
        return decode_image(io.BytesIO(content), name, limits.pixels)

    def read(self, read: Callable[..., Any], path: Path, limits: FileLimits, **options: Any) -> Any:
        with path.open("rb") as file:
            return read(file, str(path), limits.pixels, **options)

    def stream(self, read: Callable[..., Any], path: Path, limits: FileLimits, **options: Any) -> Iterator[Any]:
        with path.open("rb") as file:
            yield from read(file, str(path), limits.pixels, **options)


def files(folder: Path) -> Files:
    """Every file, but for what runs note for themselves."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in (folder.rglob("*") if folder.is_dir() else [])
        if path.is_file() and ".feedseg" not in path.parts
    }


def measured(folder: Path) -> Files:
    """What `evaluate` has measured, without what no two runs have in common, and the names of its reports."""
    whole = [path.name for path in folder.glob("report.*")]
    for name in whole:
        assert len((folder / name).read_bytes()) > 1000
    return {line["name"]: json.dumps(line).encode() for line in journal_lines(folder / "mine")} | dict.fromkeys(
        whole, b""
    )


def image(name: str, seed: int) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_scene(seed, 48, things=(1, 2)).image).save(path)


def results(count: int = 2) -> None:
    """Results with their images."""
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(f"{number}.png")
        labels = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16) // (96 + number)
        Segmentation(
            labels=labels,
            confidence=np.ones(labels.shape, np.float32),
            image=pixels,
            names=("cat", "dog"),
            source=f"{number}.png",
        ).save("results", formats=("labels", "json"))


def masks() -> None:
    """Masks as COCO-Stuff's are downloaded."""
    Path("downloaded/val2017").mkdir(parents=True)
    for number in range(2):
        values = np.random.default_rng(number).choice([0, 1, 91, 255], (16, 16)).astype(np.uint8)
        Image.fromarray(values).save(f"downloaded/val2017/{number:012}.png")


def formats(*names: str) -> list[str]:
    return [part for name in names for part in ("--format", name)]


def segment(out: str, words: str = WORDS) -> list[str]:
    return [
        "segment",
        "images",
        "--labels",
        words,
        *SMALL,
        *formats("labels", "overlay", "scores", "coco"),
        "--out",
        out,
    ]


@dataclass(frozen=True)
class Subject:
    """A command on a disk that fails."""

    begin: Callable[[], Any]  # makes its inputs
    command: Callable[[str], list[str]]  # into a folder
    content: Callable[[Path], Files] = files
    before: Callable[[str], Any] = lambda out: None  # makes what is in the folder already
    of_all: tuple[str, ...] = ()  # files that hold what there is, so that fewer results are no half


SUBJECTS = {
    "segment": Subject(
        lambda: image("images/0.png", 0),
        lambda out: [*segment(out), "--overwrite"],
        before=lambda out: main(segment(out, "striped, dotted, checked")),
        of_all=("coco.json",),
    ),
    "convert": Subject(
        results,
        lambda out: ["convert", "results", *formats(*FORMATS), "--out", out],
        of_all=("coco.json", "results.csv", "cvat.zip", "label-studio.json"),
    ),
    "prepare": Subject(masks, lambda out: ["data", "prepare", "coco-stuff", "downloaded", out, "--workers", "1"]),
    "evaluate": Subject(
        lambda: write_dataset(Path("photos"), 2),
        lambda out: ["evaluate", *QUICK, "--feedback", "none,paper", "--dataset", "photos/mine.toml", "--out", out],
        content=measured,
    ),
    "explain": Subject(
        lambda: image("0.png", 0),
        lambda out: [
            *("explain", "0.png", "--labels", WORDS, "--no-background", *TOY),
            *("--at", "20,20", "--out", f"{out}/why.png"),
        ],
        before=lambda out: (Path(out).mkdir(), (Path(out) / "why.png").write_bytes(b"old")),
    ),
    "compare": Subject(
        lambda: image("0.png", 0),
        lambda out: [
            *("compare", "0.png", "--labels", WORDS, "--no-background", *TOY),
            *("--hosts", "clip", "--feedback", "none", "--out", f"{out}/all.png"),
        ],
        content=lambda out: dict.fromkeys(files(out), b""),  # times stand in it
        before=lambda out: (Path(out).mkdir(), (Path(out) / "all.png").write_bytes(b"old")),
    ),
}
NATIVE = {
    "video": Subject(
        lambda: (pytest.importorskip("av"), write_video(Path("clip.mp4"), pictures(4))),
        lambda out: ["segment", "clip.mp4", "--pngs", *SMALL, "--labels", WORDS, "--out", out],
    ),
    "raster": Subject(
        lambda: (pytest.importorskip("rasterio"), write_raster("land.tif", patches())),
        lambda out: ["segment", "land.tif", *TOY, "--labels", WORDS, "--out", out],
    ),
    "figure": Subject(
        lambda: image("0.png", 0),
        lambda out: [*SUBJECTS["explain"].command(out)[:-1], f"{out}/why.jpg"],
    ),
    "parquet": Subject(
        lambda: (pytest.importorskip("pyarrow"), results()),
        lambda out: ["convert", "results", *formats("parquet"), "--out", out],
        of_all=("results.parquet",),
    ),
}


def make_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are loaded once, images decoded here, and no images are drawn for reports."""
    monkeypatch.setattr(ranking, "EACH", 0)
    monkeypatch.setattr(run_segment, "IsolatedDecoder", InThisProcess)
    load, loaded = Segmenter.load, {}

    def once(model: str = "photo", **options: Any) -> Segmenter:
        key = repr((model, options))
        if key not in loaded:
            loaded[key] = load(model, **options)
        return loaded[key]

    monkeypatch.setattr(Segmenter, "load", staticmethod(once))


def check_told(code: int, told: str) -> None:
    """Fails unless a command ended with a code and lines that are the user's."""
    assert code in (1, 2)
    assert told.startswith("feedseg: ")
    for word in ("Traceback", "unexpected", "Exception ignored"):
        assert word not in told
