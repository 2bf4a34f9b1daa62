"""What every training photograph shows, in words: things, their synonyms and more general words, and what covers it.

A photograph has *things*; a thing is a few words for the same region, each with a weight. Sources: ImageNet's class
(WordNet's lemmas and hypernyms), COCO's names and captions, VOC's class names of `train.txt`, and the words that were
named by eye (`words.json`).
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from wordnet import WordNet

# VOC's names in the devkit's order, as people write them; more than one where the devkit's is not a usual word.
VOC_WORDS: tuple[tuple[str, ...], ...] = (
    ("aeroplane", "airplane"), ("bicycle",), ("bird",), ("boat", "ship"), ("bottle",), ("bus",), ("car",), ("cat",),
    ("chair",), ("cow",), ("dining table", "table"), ("dog",), ("horse",), ("motorbike", "motorcycle"), ("person",),
    ("potted plant", "pottedplant"), ("sheep",), ("sofa", "couch"), ("train",),
    ("tv monitor", "tvmonitor", "television"),
)  # fmt: skip
# Where the first sense that is a physical thing is not what the photographs show.
SENSES = {"mouse": 3793489, "potted plant": 17222, "couch": 4256520, "sports ball": 2778669, "stop sign": 6794110}
PHYSICAL = {2684, 20827}  # WordNet's "physical object" and "matter"
LEMMAS = 2  # of ImageNet's class
RAREST, MOST_COMMON = 3, 250  # photographs of a general word
PARTS_AND_MATERIALS = frozenset(  # named by eye, but they belong to the thing that they are a part of
    "face hand hair leg arm body foot tongue eye wood metal glass plastic cloth paper text light shadow reflection "
    "feather leather wool lace button handle wheel tire helmet hat shirt jeans dress coat trousers shoe screen sign "
    "label horn collar sweater skirt suit uniform".split()
)
STOP_WORDS = frozenset(
    "a an the of in on at to with and is are by for from up down near next it its his her their two three four several "
    "some that this as into out over off while other another there he she they has have been be one each very around "
    "behind front top side group couple lot bunch picture photo image view".split()
)


@dataclass
class Thing:
    """Words for one region, each with its weight; `source` says who named it."""

    words: dict[str, float]
    source: str
    general: set[str] = field(default_factory=set)  # words that count only where enough photographs have them

    def add_general(self, word: str, weight: float) -> None:
        """A more general word, or a synonym, of lesser weight; the words that are there stay as they are."""
        if word.islower() and word not in self.words:
            self.words[word] = weight
            self.general.add(word)

    def add(self, word: str, weight: float) -> None:
        """A word that was named for this photograph keeps its largest weight."""
        self.general.discard(word)
        self.words[word] = max(weight, self.words.get(word, 0.0))


@dataclass
class Photograph:
    """A training photograph's file, the set of features it is in, and its things."""

    file: Path
    kind: str
    things: list[Thing] = field(default_factory=list)
    complete: bool = False  # whether what covers it was named, too


def common_nouns(wordnet: WordNet, offset: int) -> list[str]:
    """The lemmas of what a synset is a kind of, without names in Latin."""
    return [lemma for above in wordnet.ancestors(offset) for lemma in wordnet.synsets[above].lemmas if lemma.islower()]


def imagenet(folder: Path, wordnet: WordNet, hypernym: float) -> list[Photograph]:
    """ImageNet's photographs: the class's lemmas share weight 1, its hypernyms have `hypernym`."""
    result = []
    for file in sorted((folder / "imagenet").glob("*.jpg")):
        offset = int(file.stem[1:9])
        lemmas = wordnet.synsets[offset].lemmas[:LEMMAS]
        thing = Thing({lemma: 1 / len(lemmas) for lemma in lemmas}, "class")
        for word in common_nouns(wordnet, offset):
            thing.add_general(word, hypernym)
        result.append(Photograph(file, "imagenet", [thing]))
    return result


def physical_sense(name: str, wordnet: WordNet) -> int:
    """The first sense of a word that is an object, a living thing or food; 0 if there is none."""
    senses = wordnet.senses.get(name, ())
    return next((sense for sense in senses if PHYSICAL & set(wordnet.ancestors(sense))), 0)


def named_thing(names: tuple[str, ...], wordnet: WordNet, lemma: float, hypernym: float) -> Thing:
    """A thing by its everyday names, with WordNet's lemmas and hypernyms at lesser weights."""
    thing = Thing({name: 1 / len(names) ** 0.5 for name in names}, "name")
    offset = next((SENSES.get(name) or physical_sense(name, wordnet) for name in names), 0)
    if offset:
        for word in wordnet.synsets[offset].lemmas:
            thing.add_general(word, lemma)
        for word in common_nouns(wordnet, offset):
            thing.add_general(word, hypernym)
    return thing


def coco(folder: Path, wordnet: WordNet, lemma: float, hypernym: float) -> list[Photograph]:
    """COCO's photographs: names of things, and the captions' words that are in at least three photographs."""
    listed = json.loads((folder / "coco/words.json").read_text())
    shares: dict[str, Counter[str]] = {}
    for name, words in listed.items():
        captions = [set(re.findall(r"[a-z]+", caption.lower())) - STOP_WORDS for caption in words["captions"]]
        shares[name] = Counter(word for caption in captions for word in caption)
    spread = Counter(word for counts in shares.values() for word in counts)
    result = []
    for name, words in sorted(listed.items()):
        things = [named_thing((thing,), wordnet, lemma, hypernym) for thing in words["things"]]
        already = {word for thing in things for word in thing.words}
        for word, count in shares[name].items():
            noun = word in wordnet.senses
            if spread[word] >= RAREST and noun and word not in already:
                share = min(1.0, count / max(1, len(words["captions"])))
                things.append(Thing({word: 0.4 + 0.6 * share}, "caption"))
        result.append(Photograph(folder / "coco" / name, "coco", things))
    return result


def voc(folder: Path, wordnet: WordNet, lemma: float, hypernym: float) -> list[Photograph]:
    """VOC's training photographs: the names of the classes in their masks, nothing else of the masks."""
    result = []
    for name in (folder / "ImageSets/Segmentation/train.txt").read_text().split():
        with Image.open(folder / f"SegmentationClass/{name}.png") as opened:
            present = [value for value in np.unique(np.array(opened)) if 1 <= value <= 20]
        things = [named_thing(VOC_WORDS[value - 1], wordnet, lemma, hypernym) for value in present]
        result.append(Photograph(folder / f"JPEGImages/{name}.jpg", "voc", things))
    return result


def by_eye(
    photographs: list[Photograph],
    folder: Path,
    wordnet: WordNet,
    *,
    weight: float,
    lemma: float,
    leave_out: frozenset[str],
) -> None:
    """Add what was named by eye: a word of a thing that is there already strengthens it, another is a new thing.

    A new thing has WordNet's lemmas of the word, too, at the share `lemma` of its weight.
    """
    listed: dict[str, list[str]] = json.loads((folder / "words.json").read_text())
    spread = Counter(word for words in listed.values() for word in words)
    for photograph in photographs:
        prefix = "VOC2012/" if photograph.kind == "voc" else "imagenet/"
        words = listed.get(prefix + photograph.file.name)
        if photograph.kind == "coco" or words is None:
            continue
        photograph.complete = True
        for word in words:
            same = next((thing for thing in photograph.things if word in thing.words), None)
            if same is not None:
                same.add(word, weight)
            elif spread[word] >= RAREST and word not in leave_out:
                sense = physical_sense(word, wordnet)
                lemmas = wordnet.synsets[sense].lemmas if sense else ()
                thing = Thing({other: weight * lemma for other in lemmas if other.islower()}, "eye")
                thing.add(word, weight)
                photograph.things.append(thing)


def collect(
    photos: Path,
    voc_folder: Path,
    *,
    hypernym: float = 0.25,
    named_lemma: float = 0.6,
    named_hypernym: float = 0.125,
    eye: float = 0.6,
    eye_lemma: float = 0.3,
    leave_out: frozenset[str] = PARTS_AND_MATERIALS,
) -> list[Photograph]:
    """All training photographs with their things; general words too rare or too common are left out."""
    wordnet = WordNet()
    result = imagenet(photos, wordnet, hypernym)
    result += coco(photos, wordnet, named_lemma, named_hypernym)
    result += voc(voc_folder, wordnet, named_lemma, named_hypernym)
    if eye:
        by_eye(result, photos, wordnet, weight=eye, lemma=eye_lemma, leave_out=leave_out)
    spread: dict[str, int] = defaultdict(int)
    for photograph in result:
        for word in {word for thing in photograph.things for word in thing.words}:
            spread[word] += 1
    for photograph in result:
        for thing in photograph.things:
            for word in [word for word in thing.general if not RAREST <= spread[word] <= MOST_COMMON]:
                del thing.words[word]
    return result
