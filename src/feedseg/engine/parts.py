"""A table of results in parts, which are all that is known of what is done. One process adds to it at a time."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256

from filelock import Timeout

from feedseg.engine.journal import Fingerprint, JournalError, flattened, lock_of, what_differs
from feedseg.errors import FeedsegError
from feedseg.files import remove_temporaries
from feedseg.io.sources.base import STATE
from feedseg.io.store import FolderStore, Store
from feedseg.io.table import SUFFIX, Row, columns_of, encoded
from feedseg.json_files import parse_json

FORMAT = 1
ABOUT, DRIVER = "_feedseg.json", "_driver.json"  # what readers of tables pass over, as they begin with _
PART = re.compile(rf"part-[0-9a-f]{{20}}{re.escape(SUFFIX)}")
ROWS = 1000  # of a part
SECONDS = 60.0  # after which a part is written though it has fewer


class Parts:
    """The parts of one run's table, for this process alone. Get it from `claim`."""

    def __init__(self, store: Store, rows: int, clock: Callable[[], float]) -> None:
        self.written = 0  # by this process
        self._store, self._most, self._clock = store, rows, clock
        self._rows: list[Row] = []
        self._since = 0.0
        self._keys: set[bytes] = set()
        self._stems: dict[str, str] = {}
        self._driver = secrets.token_hex(8)

    @classmethod
    @contextmanager
    def claim(
        cls,
        store: Store,
        fingerprint: Fingerprint,
        *,
        overwrite: bool = False,
        rows: int = ROWS,
        clock: Callable[[], float] = time.monotonic,
    ) -> Iterator[Parts]:
        """The table at a place, with what it holds; rows that are not written yet are, when the block ends.

        In a folder no other process is let in meanwhile. In object storage, which has no locks, whoever came last goes
        on, and another one that still runs there ends before it writes its next part.

        Args:
            store: the place.
            fingerprint: all that the rows depend on but the images.
            overwrite: remove the parts that are there, whatever they were made with.
            rows: of a part.
            clock: seconds.

        Raises:
            FeedsegError: the place cannot be read or written, is in use, or holds rows that were made otherwise.
        """
        with ExitStack() as stack:
            if isinstance(store, FolderStore):
                stack.enter_context(_alone(store))
            parts = cls(store, rows, clock)
            parts._begin(fingerprint, overwrite)
            try:
                yield parts
            finally:
                parts.flush()

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and _digest(key) in self._keys

    def __len__(self) -> int:
        """How many rows there are, those not written yet among them."""
        return len(self._keys)

    @property
    def stems(self) -> dict[str, str]:
        """How the names of images' files begin, by key, where other formats were asked for."""
        return self._stems

    def add(self, row: Row) -> None:
        """Add a row whose key the table does not have; it is written with others, within a minute of rows that come.

        Raises:
            JournalError: a part cannot be written, or another run has taken the place over.
        """
        self._rows.append(row)
        self._keys.add(_digest(row["key"]))
        if len(self._rows) == 1:
            self._since = self._clock()
        if len(self._rows) >= self._most or self._clock() - self._since >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are not yet. Raises JournalError, see `add`."""
        if not self._rows:
            return
        content = encoded(self._rows)
        try:
            if self._store.shared and parse_json(self._store.read(DRIVER)) != self._driver:
                raise JournalError(f"another run has begun to write into {self._store.name}, and this one ends")
            self._store.write(f"part-{sha256(content).hexdigest()[:20]}{SUFFIX}", content)
        except JournalError:
            self._rows = []
            raise
        except (FeedsegError, ValueError) as error:
            self._rows = []  # they are lost, and made again by the next run
            raise JournalError(str(error)) from error
        self.written += 1
        self._rows = []

    def _begin(self, fingerprint: Fingerprint, overwrite: bool) -> None:
        store = self._store
        names = store.names()
        parts = [name for name in names if PART.fullmatch(name)]
        if overwrite:
            for name in parts:
                store.remove(name)
            parts = []
        if ABOUT in names and parts:
            _check(store, fingerprint)
        elif parts:
            raise FeedsegError(f"{store.name} holds parts of a table without {ABOUT}: give another --out")
        else:
            content = {"table": FORMAT, "fingerprint": fingerprint}
            store.write(ABOUT, json.dumps(content, indent=1).encode() + b"\n")
        if store.shared:
            store.write(DRIVER, json.dumps(self._driver).encode())
        for name in parts:
            with store.opened(name) as file:
                rows = columns_of(file, ("key", "stem"), f"{store.name}/{name}")
            for row in rows:
                self._keys.add(_digest(row["key"]))
                if row["stem"] is not None:
                    self._stems[row["key"]] = row["stem"]


def _check(store: Store, fingerprint: Fingerprint) -> None:
    """Raises FeedsegError where the rows of a table were made otherwise."""
    try:
        about = parse_json(store.read(ABOUT))
        made, theirs = about["table"], flattened(about["fingerprint"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FeedsegError(f"{store.name}/{ABOUT} is damaged: give another --out, or --overwrite") from error
    if made != FORMAT:
        raise FeedsegError(f"{store.name} was written by another version of feedseg: give another --out")
    if different := what_differs(theirs, flattened(json.loads(json.dumps(fingerprint)))):
        raise FeedsegError(
            f"{store.name} holds results that were made otherwise: {'; '.join(different)}; give another --out, or "
            "--overwrite to replace them"
        )


@contextmanager
def _alone(store: FolderStore) -> Iterator[None]:
    """Held by the one process that writes into a folder, which is made."""
    state = store.folder / STATE
    lock = lock_of(state / "batch")
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise FeedsegError(
            f"{store.folder} is being written by another run: wait until it has ended, or give another --out"
        ) from error
    except OSError as error:
        raise FeedsegError(f"cannot write to {store.folder}: {error.strerror or error}; give another --out") from error
    try:
        remove_temporaries(store.folder)
        yield
    finally:
        lock.release()


def _digest(key: str) -> bytes:
    """Sixteen bytes for a key, of which a set of a hundred million can be held."""
    return sha256(key.encode(errors="backslashreplace")).digest()[:16]
