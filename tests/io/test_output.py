import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from feedseg.io.output import Output
from feedseg.segmentation import Segmentation


def test_chosen_colours_are_in_every_file(scene: Callable[..., Segmentation], tmp_path: Path) -> None:
    output = pickle.loads(pickle.dumps(Output.of(colours={"dog": (1, 2, 3)})))
    files = output.save(scene(), tmp_path, "a")
    assert files is not None
    with Image.open(files.labels) as labels:
        assert np.asarray(labels.convert("RGB"))[10, 15].tolist() == [1, 2, 3]
    assert json.loads(files.json.read_text())["classes"][1]["colour"] == "#010203"
    assert output.clean(scene()).palette[1].tolist() == [1, 2, 3]


def test_what_decides_the_files_is_described(scene: Callable[..., Segmentation]) -> None:
    plain, chosen = Output.of(["labels"]), Output.of(["labels"], {"dog": (1, 2, 3)})
    assert chosen.describe() == plain.describe() | {"colours": {"dog": "#010203"}}
    assert plain.clean(result := scene()) is result
