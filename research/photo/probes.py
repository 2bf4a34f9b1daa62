"""Measures beside mIoU: points on backgrounds, synonyms, names that the fit did not see, and unknown words."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import features
import scoring
import torch
from alignment import Alignment
from encoder import Encoder
from lists import ASKED, INVISIBLE, STUFF_SYNONYMS, SYNONYMS
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

Store = dict[str, dict[str, Any]]
POINTS = Path(__file__).parent / "points.json"


def at_points(
    alignment: Alignment, store: Store, masks: dict[str, Tensor], queries: Tensor
) -> list[tuple[list[str], Tensor]]:
    """For every marked point the words that are right, and the queries' cosines there."""
    marked: dict[str, list[tuple[int, int, str]]] = json.loads(POINTS.read_text())
    found = []
    for name, points in marked.items():
        height, width = masks[name].shape
        maps = (alignment.read(store[name]["read"]) @ queries.T).T.unflatten(-1, store[name]["grid"])[None]
        places = torch.tensor([[2 * (x + 0.5) / width - 1, 2 * (y + 0.5) / height - 1] for x, y, _ in points])
        cosines = grid_sample(maps, places[None, None], padding_mode="border", align_corners=False)[0, :, 0].T
        found += [(right.split("|"), row) for (_, _, right), row in zip(points, cosines, strict=True)]
    return found


def points_right(
    alignment: Alignment, store: Store, masks: dict[str, Tensor], encoder: Encoder, words: Sequence[str]
) -> tuple[float, dict[str, list[tuple[bool, str]]]]:
    """Per cent of the marked points named right when `words` are asked, and what each word's points were named."""
    by_word: dict[str, list[tuple[bool, str]]] = defaultdict(list)
    for right, cosines in at_points(alignment, store, masks, alignment.words(encoder(words))):
        named = words[int(cosines.argmax())]
        by_word[right[0]].append((named in right, named))
    all_points = [hit for points in by_word.values() for hit, _ in points]
    return 100 * sum(all_points) / len(all_points), dict(by_word)


def one_synonym_at_a_time(
    alignment: Alignment, store: Store, masks: dict[str, Tensor], encoder: Encoder
) -> dict[str, list[tuple[str, float]]]:
    """For every class (synonym, share of the class's IoU that stays); the other classes keep their words."""
    names: list[str] = [*scoring.VOC_NAMES]
    others = [(names.index(name), word) for name, words in SYNONYMS.items() for word in words]
    own = [(index, name) for index, name in enumerate(names)]
    tried = own + others
    queries = alignment.words(encoder([*names, *(word for _, word in tried)]))
    counts = torch.zeros(len(tried), 3)  # hits, predicted, in the masks
    for name, stored in store.items():
        target = masks[name][::2, ::2]
        cosines = (alignment.read(stored["read"]) @ queries.T).T.unflatten(-1, stored["grid"])[None]
        maps = interpolate(cosines, size=tuple(target.shape), mode="bilinear", align_corners=False)[0]
        objects = (target > 0) & (target < scoring.VOID)
        maps, labels = maps[:, objects], target[objects] - 1
        best = maps[:20].topk(2, dim=0)
        for row, (index, _) in enumerate(tried):
            rest = torch.where(best.indices[0] == index, best.values[1], best.values[0])
            predicted, truth = maps[20 + row] > rest, labels == index
            counts[row] += torch.tensor([(predicted & truth).sum(), predicted.sum(), truth.sum()])
    ious = counts[:, 0] / (counts[:, 1] + counts[:, 2] - counts[:, 0])
    result: dict[str, list[tuple[str, float]]] = {name: [] for name in names}
    for (index, word), iou in zip(others, ious[20:], strict=True):
        result[names[index]].append((word, float(iou / ious[index])))
    return result


def stuff_synonyms(
    alignment: Alignment, store: Store, masks: dict[str, Tensor], encoder: Encoder
) -> dict[str, list[tuple[str, float]]]:
    """For every stuff word (synonym, share of its points named right that stays) when one word is replaced."""
    words = list(ASKED)
    result: dict[str, list[tuple[str, float]]] = {}
    for word, synonyms in STUFF_SYNONYMS.items():
        tried = [word, *synonyms]
        found = at_points(alignment, store, masks, alignment.words(encoder([*words, *tried])))
        rest = torch.tensor([one != word for one in words])
        mine = [(right, cosines) for right, cosines in found if right[0] == word]
        hits = [
            sum(
                bool(cosines[len(words) + k] > cosines[: len(words)][rest].max())
                or words[int(cosines[: len(words)].masked_fill(~rest, -1).argmax())] in right
                for right, cosines in mine
            )
            for k in range(len(tried))
        ]
        result[word] = [(synonym, hit / max(1, hits[0])) for synonym, hit in zip(synonyms, hits[1:], strict=True)]
    return result


def kept_out(
    fit: Callable[[set[str]], Alignment], names: dict[str, str], folder: Path, encoder: Encoder
) -> dict[str, int]:
    """Ranks of the right name among names whose photographs and words the fit did not see.

    Args:
        fit: makes an alignment without the photographs of these names.
        names: the photographs' stems and names.
        folder: where the photographs' features are.
    """
    alignment = fit(set(names))
    queries = alignment.words(encoder(list(names.values())))
    ranks = {}
    for index, (stem, name) in enumerate(names.items()):
        cosines = alignment.read(features.load(folder, stem)["read"]) @ queries.T
        scores = (40 * cosines).softmax(dim=-1).mean(dim=0)  # the share of the picture that a name gets
        ranks[name] = int((scores > scores[index]).sum())
    return ranks


def nearest_known(words: Sequence[str], known: Tensor, encoder: Encoder) -> list[float]:
    """The cosine of each word's embedding with the nearest of the fit's words."""
    return (encoder(words) @ known.T).amax(dim=-1).tolist()


def unknown_words(
    working: Sequence[str], failing: Sequence[str], known: Tensor, encoder: Encoder, thresholds: Sequence[float]
) -> list[dict[str, float]]:
    """For every threshold: of the invisible words those flagged (recall), how many of the flagged are invisible or
    fail (precision), and the working ones that are kept."""
    seen = torch.tensor(nearest_known(working, known, encoder))
    failed = torch.tensor(nearest_known(failing, known, encoder) if failing else [])
    nonsense = torch.tensor(nearest_known(INVISIBLE, known, encoder))
    rows = []
    for threshold in thresholds:
        flagged = int((nonsense < threshold).sum())
        wrong = int((seen < threshold).sum())
        rows.append(
            {
                "threshold": threshold,
                "invisible flagged": flagged / len(nonsense),
                "working kept": 1 - wrong / len(seen),
                "precision": flagged / max(1, flagged + wrong),
                "failing flagged": float((failed < threshold).float().mean()) if len(failed) else float("nan"),
            }
        )
    return rows
