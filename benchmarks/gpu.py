"""What a GPU does: images a second by tower, type and batch, what compiling gains, and whether it agrees with the CPU.

    make bench-gpu
    python benchmarks/gpu.py [--repeats 5] [--models ViT-B/16 … photo] [--no-compile] [--out FOLDER]

CLIP ViT-B/16, L/14 and H/14 of the real shapes with random weights, clearclip, 20 words; and the bundled `photo` with
real ones on a bundled photograph. Images are one window each: 336 × 448 pixels, those of `photo` as its card says. For
fp32, fp16 and bf16: images a second from the pixels to the labels in batches of several sizes, by the device's own
events; the tower alone, as it is and compiled, with the seconds that compiling took; the most memory; the share of
pixels that have the CPU's label in fp32, and the largest difference of a cosine. Writes `gpu.json` and `gpu.md`; ends
with 1 if `photo` agrees on fewer pixels than it should. Without a GPU it says so.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.errors import is_out_of_memory
from feedseg.evaluation.photographs import PHOTOGRAPHS
from feedseg.evaluation.report.tables import Table
from feedseg.vision.ops import normalised
from parts import Figures, Setup, megabytes
from random_models import TOWERS, random_segmenter, vocabulary
from throughput import rate_text
from timing import Memory, in_turn

DTYPES = ("fp32", "fp16", "bf16")
BATCHES = (1, 4, 16, 64)
LEAST_AGREEMENT = {"fp32": 0.999, "fp16": 0.98, "bf16": 0.97}  # of the pixels, for real weights
FOLDER = Path(__file__).parent / "results"
Compiler = Callable[[nn.Module], Any]


@dataclass(frozen=True, eq=False)
class Case:
    """A model, an image and words; `load` gives the same weights on any device."""

    name: str
    load: Callable[[str, str], Segmenter]  # device, dtype
    image: np.ndarray
    words: Vocabulary
    is_real: bool  # whether the weights are, so that an agreement means something


def cases(setup: Setup, names: Sequence[str]) -> Iterator[Case]:
    """The models that are asked for, one at a time."""
    random = np.random.default_rng(0).integers(0, 256, setup.size((336, 448, 3), (32, 48, 3)), np.uint8)
    settings = Settings(short_side=setup.size(336, 32), window=None)
    for name in names:
        if name == "photo":
            photograph = next(one for one in PHOTOGRAPHS if one.name == "chelsea")
            words = Vocabulary(photograph.words)
            yield Case(
                name,
                _photo(setup.size(None, Settings(short_side=56, window=None))),
                photograph.read().pixels,
                words,
                True,
            )
        else:
            yield Case(name, _random(name, settings, setup.quick), random, vocabulary(), False)


def _photo(settings: Settings | None) -> Callable[[str, str], Segmenter]:
    return lambda device, dtype: Segmenter.load("photo", device=device, dtype=dtype, settings=settings)


def _random(name: str, settings: Settings, tiny: bool) -> Callable[[str, str], Segmenter]:
    return lambda device, dtype: random_segmenter(
        name, "clearclip", settings=settings, device=device, dtype=dtype, tiny=tiny
    )


def of_case(setup: Setup, case: Case, batches: Sequence[int], compiler: Compiler | None) -> Figures:
    """By dtype, all that is measured of a model."""
    reference = case.load("cpu", "fp32")
    expected = reference(case.image, case.words).labels
    cosines = reference.encode(case.image).logits(case.words)
    del reference
    found: Figures = {}
    for dtype in DTYPES:
        segmenter = case.load(setup.device, dtype)
        memory = Memory(setup.device)
        same = float((segmenter(case.image, case.words).labels == expected).mean())
        apart = float((segmenter.encode(case.image).logits(case.words).cpu() - cosines).abs().max())
        found[dtype] = {"agreement": same, "cosines apart": apart} | rates(setup, segmenter, case, batches)
        found[dtype] |= of_tower(setup, segmenter, case, batches[-1], compiler) | {"bytes": memory.peak}
        del segmenter
    return found


def rates(setup: Setup, segmenter: Segmenter, case: Case, batches: Sequence[int]) -> Figures:
    """Seconds an image by the size of the batch; None where it does not fit into the memory."""
    found: Figures = {}
    for size in batches:
        one = replace(segmenter, batch_size=size)

        def run(one: Segmenter = one, size: int = size) -> None:
            for _ in one.segment_many([case.image] * size, case.words):
                pass

        found[str(size)] = each(setup, run, size)
    return {"images": found}


def of_tower(setup: Setup, segmenter: Segmenter, case: Case, size: int, compiler: Compiler | None) -> Figures:
    """Seconds an image of the tower alone, in the largest batch: as it is, and compiled."""
    tower = segmenter.encoder.tower
    side = tower.patch_size * setup.size(24, 4)
    pixels = torch.rand(size, 3, side, side, generator=torch.Generator().manual_seed(0)).to(tower.device)
    batch = normalised(pixels, tower.mean, tower.std).to(tower.dtype)

    @torch.inference_mode()
    def plain() -> object:
        return tower(batch)

    found: Figures = {"tower": each(setup, plain, size)}
    if compiler is None or found["tower"] is None:
        return found
    compiled = compiler(tower)

    @torch.inference_mode()
    def fast() -> Any:
        return compiled(batch)

    start = time.perf_counter()
    difference = float((fast()[-1].float() - tower(batch)[-1].float()).abs().max())
    took = time.perf_counter() - start
    return found | {"compiled": each(setup, fast, size), "compiling": took, "compiled apart": difference}


def each(setup: Setup, work: Callable[[], object], size: int) -> Figures | None:
    """Seconds of one of the `size` images that the work does; None where they do not fit into the memory."""
    try:
        times = in_turn({"work": work}, setup.repeats, setup.device)["work"]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None
    return times | {name: times[name] / size for name in ("median", "least", "most")}


def tables(found: Figures) -> list[Table]:
    """Images a second, the tower alone, and how far they agree with the CPU."""
    whole, alone, agreed = [], [], []
    for name, by_dtype in found.items():
        for dtype, of in by_dtype.items():
            whole.append((name, dtype, *map(_rate, of["images"].values()), megabytes(of["bytes"])))
            compiling = f"{of['compiling']:.0f}" if "compiling" in of else "–"
            alone.append((name, dtype, _rate(of["tower"]), _rate(of.get("compiled")), compiling))
            agreed.append((name, dtype, f"{100 * of['agreement']:.2f} %", f"{of['cosines apart']:.1e}"))
    sizes = list(next(iter(next(iter(found.values())).values()))["images"])
    return [
        Table("Images a second", ("model", "dtype", *(f"batch {size}" for size in sizes), "memory"), whole),
        Table("The tower alone, images a second", ("model", "dtype", "as it is", "compiled", "compiling, s"), alone),
        Table("Against the CPU in fp32", ("model", "dtype", "same label", "cosines apart, at most"), agreed),
    ]


def _rate(times: Figures | None) -> str:
    return "–" if times is None else rate_text(times)


def disagreements(found: Figures, real: Sequence[str]) -> list[str]:
    """What is wrong: a model of real weights that gives too few pixels the CPU's label."""
    return [
        f"{name} in {dtype} agrees with the CPU on {100 * of['agreement']:.2f} % of the pixels, "
        f"less than {100 * LEAST_AGREEMENT[dtype]:g} %"
        for name in real
        for dtype, of in found.get(name, {}).items()
        if of["agreement"] < LEAST_AGREEMENT[dtype]
    ]


def measure(
    setup: Setup, names: Sequence[str], batches: Sequence[int] = BATCHES, compiler: Compiler | None = torch.compile
) -> Figures:
    """By model, what `of_case` finds."""
    return {case.name: of_case(setup, case, batches, compiler) for case in cases(setup, names)}


def write(found: Figures, machine: dict[str, str], folder: Path) -> None:
    """`gpu.json` and `gpu.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"machine": machine, "models": found}, indent=1)
    (folder / "gpu.json").write_text(content + "\n", encoding="utf-8")
    about = Table("Machine", ("what", "value"), list(machine.items()))
    pages = "\n".join(one.markdown() for one in (about, *tables(found)))
    (folder / "gpu.md").write_text(f"# A GPU\n\n{pages}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=(*TOWERS, "photo"), default=[*TOWERS, "photo"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("torch finds no CUDA device here: this program measures one, and `make bench` the CPU", file=sys.stderr)
        return 2
    setup = Setup(device="cuda", repeats=options.repeats)
    found = measure(setup, options.models, compiler=None if options.no_compile else torch.compile)
    machine = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "CUDA": str(torch.version.cuda),
        "date": time.strftime("%Y-%m-%d"),
    }
    write(found, machine, options.out)
    print((options.out / "gpu.md").read_text(encoding="utf-8"))
    wrong = disagreements(found, ["photo"])
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
