"""README and docs do what they say: their Python runs, their commands run, their files and names exist."""

import dataclasses
import json
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from feedseg.segmentation import Segmentation
from feedseg.vision.feedback import FEEDBACKS
from feedseg.vision.hosts import HOSTS
from feedseg.vocabulary import Vocabulary
from feedseg.weights import catalog
from paths import ROOT
from tiny_rasters import patches, write_raster
from tiny_videos import pictures, write_video

README = ROOT / "README.md"
DOCS = [README, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/guides").glob("*.md"))]
PAGES = [*DOCS, *sorted((ROOT / "research").rglob("*.md"))]
FILE = re.compile(r"# (\w+\.py)\n")  # how a block begins that is a file to save
# What a block needs that not everyone has.
TOOLS = {
    "import supervision": "supervision",
    "feedseg.integrations.cvat": "cvat_sdk",
    "explanation.save": "matplotlib",
    "feedseg.io.video": "av",
    "feedseg.io.raster": "rasterio",
}
WORDS_OF_README = 600
WORDS_NOT_USED = "calm ear mouth rereading picture pictures reads-twice truth".split()


NOT_HERE = re.compile("FOLDER|^feedseg (serve|app)")  # they need data, or do not end; tests/apps runs these


def code(language: str, page: Path) -> list[str]:
    """The fenced blocks of a language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


def blocks(language: str):
    """Every fenced block of a language, with the page and its number there as the test's name."""
    for page in DOCS:
        for number, block in enumerate(code(language, page)):
            yield pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")


@pytest.fixture
def desk(tiny_clip, tiny_proxy, tmp_path, monkeypatch):
    """A working folder with images and the files that the pages have one save; the catalog has tiny random weights."""
    models = {
        "vit-b-16": tiny_clip(image_size=224, patch_size=16),
        "dino-b8": tiny_proxy("dino", patch_size=56, image_size=224),
    }
    for name, weights in models.items():
        card = dataclasses.replace(catalog.CARDS[name], repository=str(weights))
        monkeypatch.setitem(catalog.CARDS, name, card)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "holiday").mkdir()
    for name in ("photo.jpg", "other.jpg", "holiday/beach.jpg"):
        pixels = np.random.default_rng(len(name)).integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    if find_spec("rasterio"):
        write_raster(tmp_path / "scene.tif", patches((80, 60), bands=4))
    if find_spec("av"):
        write_video(tmp_path / "clip.mp4", pictures(3))
    Vocabulary(["cat", "sofa"]).write(tmp_path / "words.txt")
    shown = {"image": np.zeros((2, 3, 3), np.uint8), "confidence": np.ones((2, 3))}
    Segmentation(labels=np.zeros((2, 3), int), names=("cat", "sofa"), **shown).save(tmp_path / "feedseg-out", "saved")
    saved = [block for page in DOCS for block in code("python", page) if FILE.match(block)]
    for block in saved:
        name = FILE.match(block)[1]  # pyright: ignore[reportOptionalSubscript]
        (tmp_path / name).write_text(block, encoding="utf-8")
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)  # of another test's folder
    return tmp_path


@pytest.fixture
def hub(desk, tiny_clip, monkeypatch):
    """transformers loads the tiny weights for the hub's name."""
    import transformers

    def local(original):
        def from_pretrained(name, *arguments, **options):
            here = tiny_clip(image_size=224, patch_size=16) if name == "openai/clip-vit-base-patch16" else name
            return original(here, *arguments, **options)

        return from_pretrained

    for loader in (transformers.CLIPModel, transformers.AutoTokenizer):
        monkeypatch.setattr(loader, "from_pretrained", local(loader.from_pretrained))


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("block", list(blocks("python")))
def test_python_runs(block):
    for text, package in TOOLS.items():
        if text in block:
            pytest.importorskip(package)
    exec(compile(block, "documentation", "exec"), {"__name__": "documentation"})


def test_the_readmes_python_is_ten_lines_and_saves_what_it_says(desk):
    (example,) = code("python", README)
    exec(compile(example, "README", "exec"), {})
    saved = ("labels.json", "labels.png", "overlay.jpg")
    assert sorted(path.name for path in (desk / "out").iterdir()) == [f"photo.{suffix}" for suffix in saved]
    assert len([line for line in example.splitlines() if line.strip()]) <= 10


def test_the_readmes_excerpt_is_of_the_example_that_runs():
    (excerpt,) = code("python excerpt", README)
    example = code("python", ROOT / "docs/extending.md")[-1]
    assert "".join(f"    {line}\n" for line in excerpt.splitlines()) in example


def test_a_host_is_25_lines():
    block = next(block for block in code("python", ROOT / "docs/extending.md") if block.startswith("# my_host.py"))
    assert len(block.splitlines()) - 1 <= 25


def commands(page: Path) -> list[str]:
    """What a page has one type that needs no data."""
    lines = (line.strip() for line in page.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line.startswith("feedseg ") and not NOT_HERE.search(line)]


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("command", sorted({command for page in DOCS for command in commands(page)}))
def test_commands_run(command):
    if "clip.mp4" in command:
        pytest.importorskip("av")
    if "scene.tif" in command:
        pytest.importorskip("rasterio")
    from feedseg.apps.cli.main import app

    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "page", [README, ROOT / "docs/extending.md", ROOT / "docs/benchmarks.md"], ids=lambda p: p.name
)
def test_there_are_commands_to_test(page):
    assert len(commands(page)) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_programs_that_pages_name_are_there(page):
    text = page.read_text(encoding="utf-8")
    for module in re.findall(r"python -m (research[\w.]+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module
    for file in re.findall(r"python ((?:benchmarks|examples|tests|research)/[\w/]+\.py)", text):
        assert (ROOT / file).is_file(), file


@pytest.mark.parametrize("block", list(blocks("text")))
def test_vocabularies_in_text_are_read(block):
    assert len(Vocabulary.parse(block).names) > 2


@pytest.mark.parametrize("block", list(blocks("json")))
def test_the_manifest_is_json_with_the_keys_that_are_read(block, tiny_aligned):
    assert json.loads(block).keys() == json.loads((tiny_aligned() / "feedseg.json").read_text()).keys()


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def test_every_host_is_on_its_page():
    text = (ROOT / "docs/hosts.md").read_text(encoding="utf-8")
    for name in HOSTS.names():
        assert f"| `{name}` |" in text, name


def test_every_model_is_in_the_readme_or_among_the_towers_and_every_feedback_in_the_readme():
    text = README.read_text(encoding="utf-8")
    towers = (ROOT / "docs/towers.md").read_text(encoding="utf-8")
    for name in catalog.CARDS:
        assert f"`{name}`" in text or f"| `{name}` |" in towers, name
    for name in FEEDBACKS.names():
        assert name in text, name


def test_the_licences_in_the_readme_and_among_the_towers_are_the_catalogs():
    pages = (README, ROOT / "docs/towers.md")
    rows = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    for card in catalog.CARDS.values():
        (row,) = [row for row in rows if f"`{card.name}`" in row]
        assert card.licence.split(" (")[0] in row, card.name


def test_the_readmes_results_are_those_of_the_notes():
    """Each host's row has the gains of research/notes/calibrated.md, and the published number of the package."""
    text = README.read_text(encoding="utf-8")
    note = (ROOT / "research/notes/calibrated.md").read_text(encoding="utf-8")
    table = note[note.index("| train, 211 images, voc20 |") :].split("\n\n")[0].splitlines()
    cells = {(row := line.strip("| ").split(" | "))[0]: row[1:] for line in table}
    for column, host in enumerate(cells["train, 211 images, voc20"]):
        (line,) = [line for line in text.splitlines() if line.startswith(f"| [`{host}`]")]
        none, paper, calibrated = (value.strip("*") for value in line.strip("| ").split(" | ")[2:5])
        assert none == cells["none"][column]
        for shown, name in ((paper, "paper"), (calibrated, "calibrated")):
            assert shown.replace("−", "-") == cells[name][column].strip("*").split(" ± ")[0]


def test_the_readme_is_short_and_says_early_what_was_not_run():
    text = README.read_text(encoding="utf-8")
    assert len(text.split()) <= WORDS_OF_README
    assert "Not run here" in text.split("## Install")[0]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_words_are_those_of_the_field(page):
    text = re.sub(
        r"`[^`]*`|\]\([^)]*\)", "", re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    )
    found = set(re.findall(r"[\w-]+", text.lower())) & set(WORDS_NOT_USED)
    assert not found
