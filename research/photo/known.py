"""The words' side: from the encoder's embedding to the joint space, with a correction near words that are known.

    t = unit(unit(Mᵀe) + Σ_k softmax_k(s · cos(e, e_k)) r_k)

A fitted word's target is unit(what its patches are read as + its own fitted embedding); for a rare one its more general
word's target is mixed in. M is a ridge regression from words (and glosses of ImageNet's classes) to what their patches
are read as, all words alike. r_k is what M misses at the target. Words of WordNet below a fitted meaning (tomcat below
cat) are known, too: half of the way from M to the fitted word's target.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from alignment import Alignment
from encoder import Encoder
from solve import gather
from torch import Tensor
from torch.nn.functional import normalize
from wordnet import WordNet
from words import LEMMAS, PHYSICAL, SENSES, Photograph, physical_sense

SHARPNESS, SHARE, PARENT, FEW = 20.0, 0.5, 0.5, 3.0
GLOSS, RIDGE, BROAD, DEPTH = 2.0, 1.0, 3, 2
FOOD, PERSON = 13, 18  # WordNet's lexicographer files: often figurative senses of animals' names
OF = frozenset("young male female offspring breed breeds kind type variety any".split())
CUT = re.compile(
    r"\b(that|which|who|with|having|used|in|on|for|from|to|whose|by|where|when|at|as|under|operated|designed|made|"
    r"consisting|usually|especially|such|resembling|covered|carried|drawn|driven|propelled|mounted|and|or)\b"
)


@dataclass(frozen=True)
class Below:
    """A word's meaning below a fitted one: the less the score the likelier, the fitted synset, the steps between."""

    score: int
    anchor: int
    steps: int


class Graph:
    """WordNet's physical nouns with their hypernyms and the genus that their glosses name."""

    def __init__(self) -> None:
        self.wordnet = WordNet()
        self.physical = [o for o in self.wordnet.synsets if PHYSICAL & set(self.wordnet.ancestors(o))]
        within = set(self.physical)
        self.genus = {offset: self._genus(offset, within) for offset in self.physical}

    def _genus(self, offset: int, within: set[int]) -> int | None:
        synsets, ancestors = self.wordnet.synsets, self.wordnet.ancestors
        text = re.split(r"[,;:]", re.sub(r"\([^)]*\)", "", synsets[offset].gloss.lower()).strip())[0]
        parts = CUT.split(text)[0].strip().split(" of ")
        words = (parts[-1] if set(parts[0].split()) & OF else parts[0]).split()
        mine = set(ancestors(offset)) | {offset}
        for count in (3, 2, 1):
            name = " ".join(words[-count:]) if len(words) >= count else ""
            for one in (name, name[:-1] if name.endswith("s") and not name.endswith("ss") else name):
                senses = [
                    sense
                    for sense in self.wordnet.senses.get(one, ())
                    if sense in within
                    and sense != offset
                    and offset not in ancestors(sense)
                    and one in synsets[sense].lemmas
                    and synsets[sense].file == synsets[offset].file
                ]
                if senses:
                    return max(senses, key=lambda sense: len(mine & (set(ancestors(sense)) | {sense})))
        return None

    def above(self, row: list[int], seen: set[int]) -> list[int]:
        """One step up from some synsets; what was seen is left out."""
        found = []
        for offset in row:
            genus = self.genus.get(offset)
            for parent in ([genus] if genus else []) + list(self.wordnet.synsets[offset].parents):
                if parent not in seen:
                    seen.add(parent)
                    found.append(parent)
        return found

    def anchors(self, photographs: Sequence[Photograph], words: Collection[str]) -> dict[int, tuple[int, list[str]]]:
        """The fitted meanings: 0 for names and classes, 1 for words by eye and narrow ones, 2 for broad ones."""
        found: dict[int, tuple[int, list[str]]] = {}

        def put(offset: int, level: int, names: Sequence[str]) -> None:
            lemmas = {lemma.lower() for lemma in self.wordnet.synsets[offset].lemmas} if offset else set()
            kept = [name for name in names if name in words and name in lemmas]
            if kept and (offset not in found or level < found[offset][0]):
                found[offset] = (level, kept)
            elif kept and level == found[offset][0]:
                found[offset] = (level, list(dict.fromkeys(found[offset][1] + kept)))

        for one in photographs:
            if one.kind == "imagenet":
                offset = int(one.file.stem[1:9])
                put(offset, 0, self.wordnet.synsets[offset].lemmas[:LEMMAS])
        for name in sorted(names_of(photographs)):
            put(SENSES.get(name) or physical_sense(name, self.wordnet), 0, [name])
        below = Counter(up for offset in found for up in (*self.wordnet.ancestors(offset), offset))
        eye = {word for one in photographs for thing in one.things if thing.source == "eye" for word in thing.words}
        for word in sorted(words):
            sense = physical_sense(word, self.wordnet)
            if sense:
                put(sense, 1 if word in eye or below[sense] <= BROAD else 2, [word])
        return found

    def relatives(
        self, anchors: dict[int, tuple[int, list[str]]], without: Collection[str], banned: Collection[int]
    ) -> dict[str, list[Below]]:
        """Words that are not fitted, at most two steps below a fitted meaning, by their likeliest meanings."""
        found: dict[str, list[tuple[int, bool, int, int, int]]] = defaultdict(list)
        for offset in self.physical:
            if offset in banned:
                continue
            row, seen = [offset], {offset}
            for steps in range(DEPTH + 1):
                hits = [(anchors[o][0], o) for o in row if o in anchors and (anchors[o][0] < 2 or not steps)]
                if hits:
                    break
                row = self.above(row, seen)
            else:
                continue
            level, anchor = min(hits)
            for lemma in self.wordnet.synsets[offset].lemmas:
                if lemma not in without and re.fullmatch(r"[a-z' -]+", lemma) and lemma.count(" ") < 3:
                    senses = self.wordnet.senses.get(lemma, ())
                    rank = senses.index(offset) if offset in senses else 9
                    figurative = self.wordnet.synsets[offset].file in (FOOD, PERSON)
                    found[lemma].append((steps + level + rank, figurative, anchor, steps, offset))
        result = {}
        for lemma, senses in found.items():
            literal = any(not sense[1] for sense in senses)
            scored = sorted((s + (f and literal), a, n, o) for s, f, a, n, o in senses)
            result[lemma] = [Below(s, a, n) for s, a, n, _ in scored if s <= scored[0][0] + 1]
        return result


def names_of(photographs: Sequence[Photograph]) -> set[str]:
    """COCO's and VOC's names."""
    named = [thing for one in photographs for thing in one.things if thing.source == "name"]
    return {word for thing in named for word in thing.words if word not in thing.general}


def prototypes(
    alignment: Alignment, patches: Tensor, photographs: list[Photograph], rows: dict[str, int], embeddings: Tensor
) -> tuple[Tensor, Tensor]:
    """What every word's patches are read as, unit length (W, E), and the word's weight in all photographs."""
    things = gather(photographs, rows, embeddings @ alignment.text_projection)
    directions = normalize(things.target, dim=-1)
    read = torch.empty(len(directions), alignment.projection.shape[1])
    for index, own in enumerate(things.by_photograph):
        if len(own):
            centred = patches[index] + alignment.bias
            cosines = 20 * normalize(centred @ alignment.projection, dim=-1) @ directions[own].T
            weights = (cosines + cosines.log_softmax(dim=1)).softmax(dim=0)
            read[own] = normalize(weights.T @ centred @ alignment.projection, dim=-1)
    total, weight = torch.zeros_like(embeddings), torch.zeros(len(embeddings))
    every = (thing for one in photographs for thing in one.things if thing.words)
    for row, thing in zip(read, every, strict=True):
        for word, share in thing.words.items():
            total[rows[word]] += share * row
            weight[rows[word]] += share
    return normalize(total, dim=-1), weight


def common(word: str, vocabulary: Collection[str]) -> bool:
    """Whether a word is one piece of the encoder's vocabulary: a plain measure of how usual it is."""
    return " " not in word and all(part in vocabulary for part in re.split(r"['-]+", word) if part)


def correct(
    alignment: Alignment, patches: Tensor, photographs: list[Photograph], words: list[str], embeddings: Tensor,
    encoder: Encoder, hidden: dict[str, str] | None = None,
) -> tuple[Alignment, list[str], Tensor]:  # fmt: skip
    """The alignment with its words' side replaced; the known words and their embeddings.

    Args:
        hidden: stems and names of photographs that must stay unknown.
    """
    hidden = hidden or {}
    rows = {word: row for row, word in enumerate(words)}
    graph = Graph()
    anchors = graph.anchors(photographs, rows)
    banned = {int(stem[1:9]) for stem in hidden}
    relatives = graph.relatives(anchors, {*words, *hidden.values()}, banned)
    named, vocabulary = names_of(photographs), encoder.tokenizer.get_vocab()

    def kept(word: str, meanings: list[Below]) -> bool:
        near = any(named & set(anchors[one.anchor][1]) for one in meanings)
        return (near and "person" not in anchors[meanings[0].anchor][1]) or common(word, vocabulary)

    relatives = {word: meanings for word, meanings in sorted(relatives.items()) if kept(word, meanings)}
    read, weight = prototypes(alignment, patches, photographs, rows, embeddings)
    target = normalize(read + normalize(embeddings @ alignment.text_projection, dim=-1), dim=-1)
    at = {o: normalize(target[[rows[name] for name in names]].sum(dim=0), dim=-1) for o, (_, names) in anchors.items()}
    parents: dict[str, list[int]] = defaultdict(list)
    for offset, (_, names) in anchors.items():
        row, seen = [offset], {offset}
        for _ in range(DEPTH):
            row = graph.above(row, seen)
            hits = [(anchors[o][0], o) for o in row if o in anchors and anchors[o][0] < 2]
            if hits:
                for name in names:
                    parents[name].append(min(hits)[1])
                break
    for name, above in parents.items():
        if weight[rows[name]] <= FEW:
            more = torch.stack([at[o] for o in above]).mean(dim=0)
            target[rows[name]] = normalize(target[rows[name]] + PARENT * more, dim=-1)

    glosses = {}
    for one in photographs:
        if one.kind == "imagenet":
            synset = graph.wordnet.synsets[int(one.file.stem[1:9])]
            name = next((word for word in one.things[0].words if word in synset.lemmas[:LEMMAS]), None)
            if name is not None:
                glosses[name] = synset.gloss
    own = [rows[name] for name in glosses]
    inputs, outputs = torch.cat((embeddings, encoder(list(glosses.values())))), torch.cat((read, read[own]))
    strength = torch.cat((torch.ones(len(words)), torch.full((len(own),), GLOSS)))
    weighted = (inputs * strength[:, None]).T
    width = inputs.shape[1]
    matrix = torch.linalg.solve(
        weighted @ inputs + RIDGE * strength.sum() / width * torch.eye(width), weighted @ outputs
    )
    alignment.text_projection = (matrix / matrix.norm() * width**0.5).half().float()

    others = encoder(list(relatives))
    theirs = torch.stack(
        [
            normalize(torch.stack([2.0**-m.score * at[m.anchor] for m in meanings]).sum(dim=0), dim=-1)
            for meanings in relatives.values()
        ]
    )

    def missed(inputs: Tensor, wanted: Tensor) -> Tensor:
        return wanted - normalize(inputs @ alignment.text_projection, dim=-1)

    alignment.known = torch.cat((embeddings, others))
    alignment.residuals = torch.cat((missed(embeddings, target), SHARE * missed(others, theirs)))
    alignment.sharpness = SHARPNESS
    return alignment, [*words, *relatives], alignment.known


def write_sharpness(manifest: Path) -> None:
    """Say in feedseg.json how sharp the correction is."""
    values = json.loads(manifest.read_text())
    values["text"]["residual_sharpness"] = SHARPNESS
    manifest.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
