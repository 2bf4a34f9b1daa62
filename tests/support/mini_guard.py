"""mIoU of the bundled model by every host, without and with feedback, on a small fixed split: what test_mini.py guards.

python tests/support/mini_guard.py    # writes mini_miou.json anew; do so when the model, the scenes or a host changed
"""

import json
from pathlib import Path

import numpy as np

from feedseg import Segmenter, Vocabulary
from feedseg.evaluation.metrics.confusion import confusion_matrix, mean_iou
from feedseg.evaluation.scenes import BACKGROUNDS, PATTERNS, draw_scene
from feedseg.vision.hosts import HOSTS

FILE = Path(__file__).with_name("mini_miou.json")
SPLIT, SCENES, SIZE = 15, 24, 112
WORDS = Vocabulary([*PATTERNS, *BACKGROUNDS])


def measure(host: str) -> dict[str, float]:
    """mIoU in percent, without and with feedback."""
    found = {}
    segmenter = Segmenter.load("mini", host=host, device="cpu")
    for name, feedback in (("without", "none"), ("feedback", "paper")):
        confusion = np.zeros((len(WORDS.names),) * 2, np.int64)
        for index in range(SCENES):
            scene = draw_scene(np.random.default_rng((SPLIT, index)), SIZE, (2, 3))
            of_label = [scene.background, *(thing.pattern for thing in scene.things)]
            target = np.array([WORDS.names.index(word) for word in of_label])[scene.labels]
            pred = segmenter(scene.image, WORDS, feedback=feedback).labels
            confusion += confusion_matrix(target, pred, len(WORDS.names))
        found[name] = round(100 * mean_iou(confusion), 2)
    return found


if __name__ == "__main__":
    FILE.write_text(json.dumps({host: measure(host) for host in HOSTS.names()}, indent=1) + "\n", encoding="utf-8")
    print(FILE.read_text(encoding="utf-8"))
