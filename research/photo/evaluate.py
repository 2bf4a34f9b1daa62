"""Measure the bundled model `photo` on VOC's development photographs, and draw what it finds.

    python research/photo/evaluate.py --model src/feedseg/models/photo --realbench FOLDER [--photos FOLDER]
        [--draw FOLDER] [--feedback]

`--photos` adds the names that the fit is not shown (190 of ImageNet's; needs the features of `fit.py`'s cache).
`--feedback` needs the package feedseg.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import features
import fit as fitting
import packed
import probes
import scoring
import torch
from alignment import Alignment, known_words
from encoder import Encoder
from lists import ASKED
from solve import Options
from torch import Tensor
from words import Photograph, collect

THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
KEPT_OUT = 190
QUESTIONS = {
    "plain names": (scoring.VOC_NAMES, scoring.BACKGROUND),
    "protocol's names": (scoring.PROTOCOL_NAMES, scoring.PROTOCOL_BACKGROUND),
}


def own_attention(host: str, stored: dict[str, Any], heads: int = 6) -> Tensor:
    """The host's attention over a photograph's patches: (1, N, N), or (1, H, N, N)."""
    if host == "proxyclip":
        return features.proxy_attention(stored["final"])[None]
    query, key = (stored[part].unflatten(-1, (heads, -1)).transpose(0, 1)[None] for part in ("query", "key"))
    right = query if host == "clearclip" else key
    return (query @ right.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(dim=-1)


def reader(alignment: Alignment, output: Any, host: str, feedback: Any) -> scoring.Reader:
    """How a host reads patches, with or without feedback."""

    def read(stored: dict[str, Any], queries: Tensor) -> Tensor:
        if host == "proxyclip" and feedback is None:
            return alignment.read(stored["read"])
        attention, values = own_attention(host, stored), stored["value"][None]
        if feedback is not None:
            return feedback(attention, values, lambda attended: alignment.read(output(attended)), queries, 0)[0]
        if attention.dim() == 4:
            heads = values.unflatten(-1, (attention.shape[1], -1)).transpose(1, 2)
            return alignment.read(output((attention @ heads).transpose(1, 2).flatten(2)))[0]
        return alignment.read(output(attention @ values))[0]

    return read


def kept_out_names(photographs: list[Photograph], seed: int = 0) -> dict[str, str]:
    """Photographs of ImageNet whose class's first name is a word of no other photograph: stems and names."""
    spread = Counter(word for one in photographs for thing in one.things for word in thing.words)
    names = {one.file.stem: next(iter(one.things[0].words)) for one in photographs if one.kind == "imagenet"}
    alone = [stem for stem, name in names.items() if spread[name] == 1]
    return {stem: names[stem] for stem in random.Random(seed).sample(alone, KEPT_OUT)}


def segmentation(alignment: Alignment, output: Any, store: Any, masks: Any, encoder: Encoder, feedback: bool) -> dict:
    """mIoU of voc20 and voc21 by host, feedback and naming."""
    kinds: list[tuple[str, str, Any]] = [("proxyclip", "none", None)]
    if feedback:
        from feedseg import CalibratedFeedback, FSAFeedback

        kinds += [("proxyclip", "calibrated", CalibratedFeedback()), ("proxyclip", "paper's", FSAFeedback())]
        kinds += [("clearclip", "none", None), ("clearclip", "calibrated", CalibratedFeedback())]
    result = {}
    for host, name, plug_in in kinds:
        read = reader(alignment, output, host, plug_in)
        for question, (names, background) in QUESTIONS.items():
            words, rest = alignment.words(encoder(names)), alignment.words(encoder(background))
            found = scoring.evaluate(read, store, masks, words), scoring.evaluate(read, store, masks, words, rest)
            asked = f"{host}, feedback {name}, {question}"
            result[asked] = [round(scoring.miou(matrix), 1) for matrix in found]
            print(f"{asked}: voc20 {result[asked][0]}, voc21 {result[asked][1]}", flush=True)
    return result


def words_and_points(alignment: Alignment, store: Any, masks: Any, encoder: Encoder, known_file: Path) -> dict:
    """Points on backgrounds, synonyms and unknown words."""
    right, by_word = probes.points_right(alignment, store, masks, encoder, ASKED)
    asked_more = [*ASKED, *scoring.VOC_NAMES]
    beside_objects, _ = probes.points_right(alignment, store, masks, encoder, asked_more)
    print(f"points on backgrounds: {right:.1f} % of {sum(map(len, by_word.values()))} right, {len(ASKED)} words asked; "
          f"{beside_objects:.1f} % with VOC's 20 classes asked, too")  # fmt: skip
    for word, points in sorted(by_word.items(), key=lambda pair: -len(pair[1])):
        wrong = Counter(named for hit, named in points if not hit)
        print(f"  {word}: {sum(hit for hit, _ in points)} of {len(points)}; wrong: {dict(wrong)}")
    kept = probes.one_synonym_at_a_time(alignment, store, masks, encoder)
    stuff = probes.stuff_synonyms(alignment, store, masks, encoder)
    every = [share for pairs in kept.values() for _, share in pairs]
    mean = 100 * statistics.mean(min(1.0, share) for share in every)
    print(f"one synonym at a time keeps {mean:.1f} % of its class's IoU (gains counted as 100 %), "
          f"{100 * statistics.mean(every):.1f} % with gains")  # fmt: skip
    for name, pairs in (kept | {f"{word} (points)": pairs for word, pairs in stuff.items()}).items():
        print(f"  {name}: " + ", ".join(f"{word} {100 * share:.0f}" for word, share in pairs))
    known_list, known = known_words(known_file)
    tried = [pair for pairs in [*kept.values(), *stuff.values()] for pair in pairs if pair[0] not in known_list]
    working, failing = [w for w, share in tried if share >= 0.7], [w for w, share in tried if share < 0.7]
    print(f"unseen words that can be seen: {len(working)} work, {len(failing)} fail ({', '.join(failing)})")
    unknown = probes.unknown_words(working, failing, known, encoder, THRESHOLDS)
    for row in unknown:
        print("  " + ", ".join(f"{name} {value:.2f}" for name, value in row.items()))
    return {
        "points": right,
        "points beside objects": beside_objects,
        "by word": {word: [sum(hit for hit, _ in points), len(points)] for word, points in by_word.items()},
        "synonyms": mean,
        "unknown": unknown,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--realbench", type=Path, required=True, help="holds VOC2012/")
    parser.add_argument("--photos", type=Path, help="the training photographs, for the names that are kept out")
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/feedseg-photo"))
    parser.add_argument("--tower", type=Path, help="another tower's folder, such as the one before packing")
    parser.add_argument("--text", type=Path, help="another encoder's folder, such as the one before packing")
    parser.add_argument("--feedback", action="store_true")
    parser.add_argument("--short-side", type=int, default=336)
    parser.add_argument("--draw", type=Path, help="a folder for pictures of what was found")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tower = arguments.tower or arguments.model / "tower"
    cache, voc = arguments.cache.expanduser(), arguments.realbench / "VOC2012"
    names = scoring.ids(voc, "val")
    folder = cache / f"val-{arguments.short_side}{'-' + tower.parent.name if arguments.tower else ''}"
    files = [voc / f"JPEGImages/{name}.jpg" for name in names]
    features.prepare(features.Tower.open(tower), files, arguments.short_side, folder, with_keys=True)
    store = scoring.open_store(folder, names)
    masks = {name: scoring.mask(voc, name) for name in names}
    encoder = Encoder(arguments.text or arguments.model / "text")
    alignment = Alignment.load(arguments.model / "alignment.safetensors")
    output = packed.load_module(tower, "Dinov2Model").encoder.layer[-1].attention.o_proj

    with torch.inference_mode():
        figures: dict[str, Any] = {"miou": segmentation(alignment, output, store, masks, encoder, arguments.feedback)}
        figures |= words_and_points(alignment, store, masks, encoder, arguments.model / "alignment.safetensors")
        if arguments.photos:
            if not fitting.folder_of(cache, "imagenet").is_dir():
                parser.error(f"--photos needs the features that fit.py keeps in {cache}: run it first, or give --cache")
            photographs = collect(arguments.photos, voc)
            hidden = kept_out_names(photographs)

            def without(stems: set[str]) -> Alignment:
                seen = [one for one in photographs if one.file.stem not in stems]
                return fitting.fit(seen, cache, encoder, Options(), hidden=hidden)[0]

            ranks = probes.kept_out(without, hidden, fitting.folder_of(cache, "imagenet"), encoder)
            shares = [100 * sum(rank < top for rank in ranks.values()) / len(ranks) for top in (1, 5)]
            print(f"{len(ranks)} names kept out of the fit: top 1 {shares[0]:.1f} %, top 5 {shares[1]:.1f} %")
            figures["kept out"] = shares
        if arguments.draw:
            import draw

            draw.development(alignment, store, files, encoder, arguments.draw)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
