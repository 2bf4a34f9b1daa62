"""Imports point one way, and no module asks which family a tower is of."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import feedseg

SOURCE = Path(str(feedseg.__file__)).parent
# Lowest first. Rooms of one line import nothing of each other.
LAYERS = (
    ("collector", "errors"),
    ("files", "json_files", "registry", "settings"),
    ("vocabulary",),
    ("weights",),
    ("io", "vision"),
    ("decode", "labelmap"),
    ("segmentation",),
    ("arguments", "presets"),
    ("decoding",),
    ("sam3", "segmenter"),
    ("explanation", "loading"),
    ("engine",),
    ("evaluation",),
    ("integrations",),
    ("apps",),
    ("__init__", "__main__"),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# Segmenter.load, EncodedImage.explain, and a result's methods that give it to other tools, import modules above when
# they are called. A saved result is read back as what it was, a label map, which needs of io only what is pure: arrays,
# palette and regions.
ALLOWED = {
    ("segmenter", "feedseg.loading"),
    ("segmenter", "feedseg.explanation"),
    ("io", "feedseg.labelmap"),
    *(("segmentation", f"feedseg.integrations.{name}") for name in ("transformers", "supervision", "fiftyone")),
}
# Which weights to prefer where a repository has two layouts is told by the files, before there is a tower.
OF_FILES = "feedseg.weights.layout"
PORTABLE = (
    "feedseg.errors",
    "feedseg.registry",
    "feedseg.vision.ops",
    "feedseg.vision.feedback",
)  # of the project, for the feedback
FILES = sorted(SOURCE.rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules of the project that a program imports when it runs."""
    if isinstance(tree, ast.If) and ast.unparse(tree.test) == "TYPE_CHECKING":
        return
    if isinstance(tree, ast.Import):
        yield from (alias.name for alias in tree.names if alias.name.startswith("feedseg"))
    elif isinstance(tree, ast.ImportFrom) and tree.module == "feedseg":
        yield from (f"feedseg.{alias.name}" for alias in tree.names)
    elif isinstance(tree, ast.ImportFrom) and (tree.module or "").startswith("feedseg."):
        yield str(tree.module)
    for child in ast.iter_child_nodes(tree):
        yield from imports(child)


def room(module: str) -> str:
    return module.split(".")[1]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    return ".".join(("feedseg", *path.relative_to(SOURCE).with_suffix("").parts))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_one_way(path: Path):
    own = room(name_of(path))
    for module in imports(parsed(path)):
        other = room(module)
        if other != own and (own, module) not in ALLOWED:
            assert LEVEL[other] < LEVEL[own], f"{name_of(path)} imports {module}"


def test_feedback_can_be_lifted_out():
    for path in (SOURCE / "vision" / "feedback").glob("*.py"):
        for module in imports(parsed(path)):
            assert module.startswith(PORTABLE), f"{name_of(path)} imports {module}"
    assert list(imports(parsed(SOURCE / "vision" / "ops.py"))) == []
    assert list(imports(parsed(SOURCE / "vision" / "hosts" / "attention.py"))) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nobody_asks_which_family_a_tower_is_of(path: Path):
    if "towers" in path.parts or name_of(path) == OF_FILES:
        return
    for node in ast.walk(parsed(path)):
        text = ast.unparse(node)
        if isinstance(node, ast.Call) and text.startswith(("isinstance(", "issubclass(")):
            assert not any(word.endswith("Tower") for word in _names(node) if word != "VisionTower"), text
        if isinstance(node, ast.Compare):
            compared = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
            assert not compared & {"clip", "dinov2", "dinov2_with_registers"}, text
        if isinstance(node, ast.Call) and text.startswith("TOWERS.load("):
            assert not isinstance(node.args[0], ast.Constant), text


def _names(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
