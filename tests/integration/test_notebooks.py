"""The notebooks run from the first cell to the last, are small, and lead to files that exist."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from paths import ROOT

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_BYTES = 200_000
MACHINE = re.compile(r"(?<![\w:/])/(?:home|root|tmp|work|usr|Users)/|[A-Z]:\\\\")


def cells(path: Path, kind: str) -> list[str]:
    read = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in read["cells"] if cell["cell_type"] == kind]


def test_there_are_three():
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(path, as_version=4)
    first = "import feedseg, sys; print(feedseg.__file__); print(sys.executable)"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    runner = client.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}})
    runner.execute()  # raises where a cell does
    package, interpreter = notebook.cells[0].outputs[0].text.split("\n")[:2]
    assert Path(package).is_relative_to(ROOT / "src")
    assert Path(interpreter).resolve() == Path(sys.executable).resolve()
    assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"][-1] >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_of_no_one_machine(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    assert not MACHINE.search(text)
    assert '"stderr"' not in text
    assert all(cell.get("outputs", [1]) or cell["source"] for cell in json.loads(text)["cells"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_links_lead_somewhere_and_the_pages_lead_to_it(path):
    for text in cells(path, "markdown"):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            assert target.startswith("https://") or (FOLDER / target).exists(), target
    assert f"](../notebooks/{path.name})" in (ROOT / "docs/notebooks.md").read_text(encoding="utf-8")
