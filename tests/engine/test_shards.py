"""Equal parts of the work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedseg.engine.shards import Shard
from feedseg.errors import FeedsegError


@given(st.integers(0, 40), st.integers(1, 9))
def test_shards_divide_the_work(count: int, of: int) -> None:
    parts = [Shard(number, of).of_items(range(count)) for number in range(1, of + 1)]
    assert sorted(item for part in parts for item in part) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_shard_is_written_as_a_fraction() -> None:
    assert Shard.parse("2/8") == Shard(2, 8)
    assert str(Shard(2, 8)) == "2/8"
    for text in ("0/3", "4/3", "3", "1/0", "a/b", "-1/2", "1/2/3", ""):
        with pytest.raises(FeedsegError, match="such as 2/8"):
            Shard.parse(text)
