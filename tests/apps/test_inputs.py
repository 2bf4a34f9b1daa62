"""Where the results of every image go."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedseg.apps.cli.inputs import find_pictures


def stems(*arguments: str, out: str = "out") -> dict[str, str]:
    """Where the results of every image go, below the folder for results."""
    jobs, failures = find_pictures(arguments, Path(out))
    assert not failures
    names = {str(job.path): str((job.folder / job.stem).relative_to(out)) for job in jobs}
    assert len({name.casefold() for name in names.values()}) == len(jobs)
    return names


def touch(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("a/b.jpg", "c.png"), {"a/b.jpg": "b", "c.png": "c"}),
        (("a",), {"a/b.jpg": "b", "a/x/b.jpg": "x/b"}),
        (("b.jpg", "b.png"), {"b.jpg": "b.jpg", "b.png": "b.png"}),
        (("b.png", "b.jpg"), {"b.jpg": "b.jpg", "b.png": "b.png"}),
        (("a/b.jpg", "c/b.jpg"), {"a/b.jpg": "a/b", "c/b.jpg": "c/b"}),
        (("a", "c"), {"a/b.jpg": "a/b", "a/x/b.jpg": "x/b.jpg", "c/b.jpg": "c/b", "c/x/b.gif": "x/b.gif"}),
        (("a/b.jpg", "a/x/b.jpg", "c/b.jpg"), {"a/b.jpg": "a/b", "a/x/b.jpg": "x/b", "c/b.jpg": "c/b"}),
        (
            ("c/x/b.gif", "a/x/b.jpg", "d/x/b.jpg"),
            {"c/x/b.gif": "b.gif", "a/x/b.jpg": "x/b.jpg", "d/x/b.jpg": "x/b.jpg-2"},
        ),
        (("b.jpg", "B.JPG"), {"b.jpg": "here/b.jpg", "B.JPG": "here/B.JPG-2"}),
        (("b.jpg", "./b.jpg", "a/../b.jpg"), {"b.jpg": "b"}),
        (("a/x/b.jpg", "a"), {"a/x/b.jpg": "x/b", "a/b.jpg": "a/b"}),
    ],
)
def test_no_two_images_share_a_name(
    arguments: tuple[str, ...], expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir("here")
    touch("a/b.jpg", "a/x/b.jpg", "c/b.jpg", "c/x/b.gif", "d/x/b.jpg", "b.jpg", "b.png", "B.JPG", "c.png")
    assert stems(*arguments) == expected
