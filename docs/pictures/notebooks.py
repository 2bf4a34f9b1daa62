"""Runs the notebooks anew and keeps small outputs, so that they are pleasant to read where they are not run.

python docs/pictures/notebooks.py
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def run(notebook: NotebookNode, folder: Path) -> None:
    """Execute every cell in `folder`. Raises CellExecutionError where one fails."""
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()


def slim(notebook: NotebookNode) -> None:
    """Drop what a reader does not need: a PNG beside a JPEG, HTML beside an image, warnings, times of running."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            kinds = output.get("data", {})
            if "image/jpeg" in kinds or "text/html" in kinds:
                kinds.pop("image/png", None)


def main() -> None:
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        run(notebook, NOTEBOOKS)
        slim(notebook)
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
