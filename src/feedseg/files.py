"""Files and folders that are either whole or not there."""

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from feedseg.errors import FeedsegError

_PREFIX = ".feedseg-"
_TEMPORARY = re.compile(rf"{re.escape(_PREFIX)}[0-9a-f]{{16}}(\.[^.]+)?")


@contextmanager
def write_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path to write to, which takes the place of `path` once the body has ended well.

        with write_atomically(folder / "cat.png") as temporary:
            image.save(temporary)

    Readers see the old file or the new one, never a half. The temporary lies in the same folder, made here if it does
    not exist, and ends in the same suffix, since many writers choose their format by it. The body's own writer creates
    it, so it gets the permissions of any new file. Whatever ends the body early, an interrupt too, leaves `path` as it
    was and no temporary behind.

    Raises FeedsegError, naming `path`, for every OSError: no space, no permission, a file where a folder should be.
    The body should therefore write and do nothing else that may fail like this.
    """
    path = Path(path)
    # A name of fixed length: built upon the target's name it could become too long where the target's own is not.
    temporary = path.with_name(f"{_PREFIX}{secrets.token_hex(8)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise FeedsegError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        # Gone already after a success; where not even a folder could be made, looking for it fails like the rest did.
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def write_folder_atomically(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` to write into, which takes its place once the body has ended well.

    What is there already goes away then, so the caller has to make sure that it may. Otherwise as `write_atomically`.
    """
    temporary = folder.with_name(f"{_PREFIX}{secrets.token_hex(8)}")
    old = folder.with_name(f"{_PREFIX}{secrets.token_hex(8)}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if folder.exists():
            folder.rename(old)
        try:
            temporary.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    except OSError as error:
        raise FeedsegError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        for left in (temporary, old):
            shutil.rmtree(left, ignore_errors=True)


def remove_temporaries(folder: Path, older_than: float = 0.0) -> None:
    """Remove what `write_atomically` has left in a folder where its process was killed.

    Args:
        folder: where.
        older_than: seconds since they were last written to; 0 only where nobody else may be writing.
    """
    with suppress(OSError):  # not there, or not ours to change
        for path in folder.iterdir():
            if _TEMPORARY.fullmatch(path.name) and time.time() - path.stat().st_mtime >= older_than:
                path.unlink()
