"""The whole way by hub id: the command line fetches model and proxy from a hub on the loopback, then works offline."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tiny_models
from feedseg import Segmenter, Vocabulary
from hub_server import HubServer


@pytest.fixture
def folders(tmp_path):
    tiny_models.save_clip(tmp_path / "clip", image_size=112, patch_size=16)
    tiny_models.save_proxy(tmp_path / "dino", "dino", patch_size=56, image_size=112)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)).save(tmp_path / "photo.png")
    return tmp_path


def run(folders, environment, out):
    command = "segment photo.png --labels cat,sofa --background wall --model owner/clip@v1 --proxy owner/dino --out"
    return subprocess.run(
        [sys.executable, "-m", "feedseg", *command.split(), str(folders / out)],
        cwd=folders,
        env=os.environ | {"HF_HOME": str(folders / "home"), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_fetches_by_id_and_then_needs_no_network(folders):
    with HubServer() as hub:
        commits = {}
        for name in ("clip", "dino"):
            files = {path.name: path.read_bytes() for path in (folders / name).iterdir()}
            commits[name] = hub.publish(f"owner/{name}", files, "v1" if name == "clip" else "main")
        first = run(folders, {"HF_ENDPOINT": hub.url}, "first")
        assert first.returncode == 0, first.stderr
    second = run(folders, {"HF_HUB_OFFLINE": "1"}, "second")
    assert second.returncode == 0, second.stderr
    about = json.loads((folders / "second/photo.labels.json").read_text())
    assert about["models"]["model"] == {"name": "owner/clip@v1", "revision": commits["clip"]}
    assert about["models"]["proxy"] == {"name": "owner/dino", "revision": commits["dino"]}
    local = Segmenter.load(folders / "clip", proxy=folders / "dino")
    expected = local(folders / "photo.png", Vocabulary(["cat", "sofa"], background=["wall"])).labels
    for out in ("first", "second"):
        labels = np.array(Image.open(folders / out / "photo.labels.png"))
        assert (labels == expected).mean() > 0.999


def test_a_manifest_comes_from_the_hub_with_all_that_it_names(tmp_path, monkeypatch):
    tiny_models.save_aligned(tmp_path / "aligned", words=("cat", "sofa"))
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "photo.png")
    folder = tmp_path / "aligned"
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    command = "segment photo.png --labels cat,sofa --model owner/aligned --json --out".split()
    with HubServer() as hub:
        commit = hub.publish("owner/aligned", files, "main")
        environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
        for extra, out in (({"HF_ENDPOINT": hub.url}, "first"), ({"HF_HUB_OFFLINE": "1"}, "second")):
            done = subprocess.run(
                [sys.executable, "-m", "feedseg", *command, out],
                cwd=tmp_path,
                env=environment | extra,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["models"]["model"] == {"name": "owner/aligned", "revision": commit}
    expected = Segmenter.load(folder)(image, ["cat", "sofa"]).labels
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "second/photo.labels.png")), expected)
