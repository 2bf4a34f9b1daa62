"""README and docs do what they say: their Python runs, their commands parse and run, their files and names exist."""

import dataclasses
import json
import re
import shlex

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import tiny_models
from feedseg.vision.hosts import HOSTS
from feedseg.vocabulary import Vocabulary
from feedseg.weights import catalog
from paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str):
    """Every fenced block of a language, with the page and its number there as the test's name."""
    for page in PAGES:
        for number, block in enumerate(re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.S)):
            yield pytest.param(block, id=f"{page.name}-{number}")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Tiny random weights for every name of the catalog that the documentation uses."""
    folder = tmp_path_factory.mktemp("models")
    tiny_models.save_clip(folder / "clip", image_size=224, patch_size=16)
    tiny_models.save_proxy(folder / "dino", "dino", patch_size=56, image_size=224)
    return {"vit-b-16": folder / "clip", "dino-b8": folder / "dino"}


@pytest.fixture
def desk(models, tmp_path, monkeypatch):
    """A working folder with pictures, and the catalog pointing at the tiny weights."""
    for name, weights in models.items():
        card = dataclasses.replace(catalog.CARDS[name], repository=str(weights))
        monkeypatch.setitem(catalog.CARDS, name, card)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holiday").mkdir()
    for name in ("photo.jpg", "other.jpg", "holiday/beach.jpg"):
        pixels = np.random.default_rng(len(name)).integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    Vocabulary(["cat", "sofa"]).write(tmp_path / "words.txt")
    return tmp_path


@pytest.mark.parametrize("block", list(blocks("python")))
def test_python_runs(block, desk, models, monkeypatch):
    import transformers

    hub_name = "openai/clip-vit-base-patch16"

    def local(original):
        def from_pretrained(name, *arguments, **options):
            local_name = models["vit-b-16"] if name == hub_name else name
            return original(local_name, *arguments, **options)

        return from_pretrained

    for loader in (transformers.CLIPModel, transformers.AutoTokenizer):
        monkeypatch.setattr(loader, "from_pretrained", local(loader.from_pretrained))
    exec(compile(block, "documentation", "exec"), {})


def test_the_readmes_first_python_saves_what_it_says(desk):
    first = next(blocks("python")).values[0]
    assert isinstance(first, str)
    exec(compile(first, "README", "exec"), {})
    assert sorted(path.name for path in (desk / "out").iterdir()) == [
        f"{picture}.{kind}" for picture in ("other", "photo") for kind in ("labels.json", "labels.png", "overlay.png")
    ]
    assert len(first.strip().splitlines()) <= 18


COMMANDS = sorted(
    {
        line.strip()
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("feedseg ") and "FOLDER" not in line
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command, desk):
    from feedseg.apps.cli.main import app

    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output


def test_there_are_commands_to_test():
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("block", list(blocks("text")))
def test_vocabularies_in_text_are_read(block):
    assert len(Vocabulary.parse(block).names) > 2


@pytest.mark.parametrize("block", list(blocks("json")))
def test_the_manifest_is_json_with_the_keys_that_are_read(block, tmp_path):
    tiny_models.save_aligned(tmp_path)
    assert json.loads(block).keys() == json.loads((tmp_path / "feedseg.json").read_text()).keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_host_and_every_name_is_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in (*HOSTS.names(), *catalog.CARDS):
        assert f"`{name}`" in text, name


def test_the_licences_in_the_readme_are_the_catalogs():
    rows = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    for card in catalog.CARDS.values():
        (row,) = [row for row in rows if f"`{card.name}`" in row]
        assert card.licence.split(" (")[0] in row, card.name
