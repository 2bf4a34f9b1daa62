"""Write the parts of the model that never change: the tower and the sentence encoder, in eight bits.

    python research/photo/pack.py --tower FOLDER --encoder FOLDER --out src/feedseg/models/photo

Run once; the files it writes must not change afterwards (fit.py writes only the small files beside them).
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import packed
from safetensors.torch import load_file

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def pack_tower(source: Path, out: Path) -> None:
    """DINOv2's configuration, preprocessing and weights."""
    packed.write(out / "model.safetensors", packed.packed(load_file(source / "model.safetensors")))
    config = json.loads((source / "config.json").read_text()) | {"dtype": "float32"}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    preprocessing = {"do_normalize": True, "image_mean": MEAN, "image_std": STD, "resample": 3}
    (out / "preprocessor_config.json").write_text(json.dumps(preprocessing, indent=2) + "\n")


def pack_encoder(source: Path, out: Path) -> None:
    """The sentence encoder's configuration, tokenizer and weights."""
    packed.write(out / "model.safetensors", packed.packed(load_file(source / "model.safetensors")))
    shutil.copyfile(source / "config.json", out / "config.json")
    shutil.copyfile(source / "tokenizer_config.json", out / "tokenizer_config.json")
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    tokenizer["padding"] = tokenizer["truncation"] = None  # as published every word would be padded to 128 tokens
    (out / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tower", type=Path, required=True, help="transformers' folder of DINOv2 ViT-S/14")
    parser.add_argument("--encoder", type=Path, required=True, help="transformers' folder of all-MiniLM-L6-v2")
    parser.add_argument("--out", type=Path, required=True, help="the model's folder")
    arguments = parser.parse_args()
    for kind, pack in (("tower", pack_tower), ("text", pack_encoder)):
        out = arguments.out / kind
        if (out / "model.safetensors").exists():
            raise SystemExit(f"{out} is there already and must not change; remove it first if it really has to")
        out.mkdir(parents=True, exist_ok=True)
        pack(getattr(arguments, "tower" if kind == "tower" else "encoder"), out)
        print(f"{out}: {sum(file.stat().st_size for file in out.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
