"""Files that are given by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from feedseg.io.sources.base import Failure, Found, Source


class Files(Source):
    """An image file, whatever it is called."""

    last = True  # what no other source takes is meant as a file, and may not exist

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return True

    def find(self, argument: str, endings: tuple[str, ...]) -> Iterator[Found | Failure]:
        """See `Source.find`."""
        path = Path(argument)
        if path.exists():
            yield Found(path, PurePath(path.name), path.absolute().parent.resolve().name)
        else:
            yield Failure(argument, f"{argument} does not exist")


SOURCE = Files()
