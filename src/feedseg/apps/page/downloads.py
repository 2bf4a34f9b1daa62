"""A result as files: every format that `feedseg segment` writes, and all of them in one archive."""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

from feedseg.apps.page.photo import Photo
from feedseg.apps.page.view import coloured
from feedseg.errors import FeedsegError
from feedseg.io.exports import EXPORTS
from feedseg.io.formats import format_names
from feedseg.io.output import Output
from feedseg.io.writers.save import DEFAULT_FORMATS
from feedseg.segmentation import Segmentation

USUAL = DEFAULT_FORMATS
ARCHIVE = "feedseg.zip"
KEPT = 600  # seconds


def available() -> list[str]:
    """The formats whose packages are installed."""
    return [name for name in format_names() if _is_installed(name)]


def written(
    photo: Photo, result: Segmentation, formats: Sequence[str], colours: Mapping[str, str], place: Path
) -> list[Path]:
    """The files of a result in a new folder of the place, the archive of them first; old ones there go.

    Raises:
        FeedsegError: no format was chosen, or there is none of a name.
    """
    unknown = [name for name in formats if name not in format_names()]  # a module of one's own never is taken here
    if not formats or unknown:
        raise FeedsegError("choose a format to download" if not formats else f"there is no format {unknown[0]!r}")
    output = Output.of(formats)
    _forget_old(place)
    folder = Path(mkdtemp(prefix="files-", dir=place))
    inside = folder / "files"
    saved = output.save(coloured(result, colours), inside, photo.stem)
    assert saved is not None
    output.export(inside, [saved.by_format["json"]])
    files = sorted(path for path in inside.rglob("*") if path.is_file())
    archive = folder / ARCHIVE
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in files:
            packed.write(file, file.relative_to(inside))
    return [archive, *files]


def _forget_old(place: Path) -> None:
    """Remove what was made for downloads long ago; the page has copies of what it still offers."""
    for folder in place.glob("files-*"):
        if time.time() - folder.stat().st_mtime > KEPT:
            shutil.rmtree(folder, ignore_errors=True)


def needs_scores(formats: Sequence[str]) -> bool:
    """Whether one of the formats saves the scores."""
    return Output.of([name for name in formats if name in format_names()] or None).needs_scores


def _is_installed(name: str) -> bool:
    if name not in EXPORTS.names():
        return True
    try:
        EXPORTS.load(name).check_installed()
    except FeedsegError:
        return False
    return True
