"""Files that are given by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from feedseg.io.sources.base import Failure, Finding, Found, Search, Source, refused


class Files(Source):
    """An image file, whatever it is called."""

    last = True  # what no other source takes is meant as a file, and may not exist

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return True

    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """See `Source.find`."""
        from feedseg.io.decoders import BY_SUFFIX, readable
        from feedseg.io.sources.rasters import found_raster
        from feedseg.io.sources.videos import found_video, is_video

        path = Path(argument)
        if not path.exists():
            yield Failure(argument, f"{argument} {'is a broken link' if path.is_symlink() else 'does not exist'}")
        elif (known := BY_SUFFIX.get(path.suffix.lower())) and known not in readable():
            yield refused(path)
        else:
            of = path, PurePath(path.name), path.absolute().parent.resolve().name
            is_clip = search.videos and is_video(path)
            yield found_video(*of) if is_clip else found_raster(*of, search) or Found(*of)


SOURCE = Files()
