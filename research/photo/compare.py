"""What eight bits cost: the packed tower and encoder against the weights that they were packed from.

python research/photo/compare.py --model src/feedseg/models/photo --realbench FOLDER --encoder FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path

import features
import scoring
import torch
from alignment import Alignment
from encoder import Encoder
from torch.nn.functional import interpolate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--realbench", type=Path, required=True, help="holds VOC2012/ and the original tower/")
    parser.add_argument("--encoder", type=Path, required=True, help="the original sentence encoder")
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/feedseg-photo"))
    arguments = parser.parse_args()
    cache, voc = arguments.cache.expanduser(), arguments.realbench / "VOC2012"
    names = scoring.ids(voc, "val")
    files = [voc / f"JPEGImages/{name}.jpg" for name in names]
    alignment = Alignment.load(arguments.model / "alignment.safetensors")
    towers = {
        "packed": (arguments.model / "tower", "val-336"),
        "original": (arguments.realbench / "tower", f"val-336-{arguments.realbench.name}"),
    }
    texts = {"packed": arguments.model / "text", "original": arguments.encoder}
    masks = {name: scoring.mask(voc, name) for name in names}
    found = {}
    with torch.inference_mode():
        for tower, text in (("original", "original"), ("packed", "original"), ("packed", "packed")):
            folder, stored = towers[tower]
            features.prepare(features.Tower.open(folder), files, 336, cache / stored, with_keys=True)
            queries = alignment.words(Encoder(texts[text])([*scoring.VOC_NAMES, *scoring.BACKGROUND]))
            matrix, labels = torch.zeros(20, 20, dtype=torch.long), []
            for name in names:
                one = features.load(cache / stored, name)
                target = masks[name][::2, ::2]
                maps = (alignment.read(one["read"]) @ queries.T).T.unflatten(-1, one["grid"])[None]
                maps = interpolate(maps, size=tuple(target.shape), mode="bilinear", align_corners=False)[0]
                matrix += scoring.confusion(maps[:20].argmax(dim=0), target - 1, 20)
                labels.append(maps.argmax(dim=0).flatten())
            found[tower, text] = torch.cat(labels)
            agree = (found[tower, text] == found["original", "original"]).float().mean()
            print(f"tower {tower}, encoder {text}: voc20 {scoring.miou(matrix):.1f}, labels of 40 words "
                  f"that agree with the original {100 * agree:.2f} %", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
