"""Make the alignment of the bundled model `photo` from a folder of photographs with words.

    python research/photo/fit.py --photos FOLDER --realbench FOLDER --out src/feedseg/models/photo

Reads the tower and the sentence encoder from `--out`, keeps the photographs' features in `--cache`, and writes
`alignment.safetensors`. Of VOC only the class names of `train.txt` are used.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import features
import torch
from alignment import EPS, Alignment
from encoder import Encoder
from known import correct, write_sharpness
from solve import Options, solve
from torch import Tensor
from torch.nn.functional import layer_norm
from words import Photograph, collect

SHORT_SIDES = {"imagenet": 224, "coco": 336, "voc": 336}
PATCHES = 96  # of a photograph


def folder_of(cache: Path, kind: str) -> Path:
    """Where the features of a set of photographs are."""
    return cache / f"{kind}-{SHORT_SIDES[kind]}"


def sample(photographs: Sequence[Photograph], cache: Path, count: int = PATCHES, seed: int = 0) -> Tensor:
    """The layer-normed features of some patches of every photograph: (P, count, D)."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for photograph in photographs:
        read = features.load(folder_of(cache, photograph.kind), photograph.file.stem)["read"]
        if len(read) >= count:
            chosen = torch.randperm(len(read), generator=generator)[:count]
        else:
            chosen = torch.randint(len(read), (count,), generator=generator)
        rows.append(layer_norm(read[chosen], read.shape[-1:], eps=EPS))
    return torch.stack(rows)


def prepare(photographs: Sequence[Photograph], tower: Path, cache: Path) -> None:
    """Compute the features that are not there yet."""
    opened = features.Tower.open(tower)
    for kind, side in SHORT_SIDES.items():
        files = [photograph.file for photograph in photographs if photograph.kind == kind]
        features.prepare(opened, files, side, folder_of(cache, kind))


def fit(
    photographs: list[Photograph], cache: Path, encoder: Encoder, options: Options, seed: int = 0,
    hidden: dict[str, str] | None = None,
) -> tuple[Alignment, list[str], Tensor]:  # fmt: skip
    """The alignment, the known words and their encoder embeddings; `hidden` are stems and names not to be known."""
    words = sorted({word for photograph in photographs for thing in photograph.things for word in thing.words})
    embeddings = encoder(words)
    rows = {word: row for row, word in enumerate(words)}
    patches = sample(photographs, cache, seed=seed)
    alignment = solve(patches, photographs, rows, embeddings, options)
    return correct(alignment, patches, photographs, words, embeddings, encoder, hidden)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="imagenet/, coco/ and words.json")
    parser.add_argument("--realbench", type=Path, required=True, help="holds VOC2012/")
    parser.add_argument("--out", type=Path, required=True, help="the model's folder, with tower/ and text/")
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/feedseg-photo"), help="for features, 1 GB")
    parser.add_argument("--seed", type=int, default=0, help="of the patches that are drawn")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    start = time.monotonic()
    cache = arguments.cache.expanduser()
    photographs = collect(arguments.photos, arguments.realbench / "VOC2012")
    prepare(photographs, arguments.out / "tower", cache)
    alignment, words, embeddings = fit(photographs, cache, Encoder(arguments.out / "text"), Options(), arguments.seed)
    alignment.save(arguments.out / "alignment.safetensors", words, embeddings)
    write_sharpness(arguments.out / "feedseg.json")
    print(f"{len(photographs)} photographs, {len(words)} words, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
