import mmap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, basic_indices

from feedseg.io.arrays import frozen


@given(st.data(), arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=5)))
def test_what_is_frozen_stays_whatever_happens_to_the_array(data: st.DataObject, array: np.ndarray) -> None:
    view = np.asarray(array[data.draw(basic_indices(array.shape))])
    view.flags.writeable = data.draw(st.booleans())
    before = view.copy()
    kept = frozen(view, data.draw(st.sampled_from([None, np.uint8, np.uint16, np.float32])))
    array[...] = array + 1
    np.testing.assert_array_equal(kept, before)
    assert not kept.flags.writeable


def test_the_callers_array_stays_as_it_was() -> None:
    array = np.zeros(3)
    frozen(array)
    array[0] = 1


def test_a_read_only_array_is_not_copied() -> None:
    array = np.arange(6).reshape(2, 3).copy()
    array.flags.writeable = False
    assert np.shares_memory(frozen(array), array)
    assert np.shares_memory(frozen(array[:, ::-1]), array)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_dtype_is_the_one_that_is_wanted(dtype: type) -> None:
    assert frozen(np.array([1, 2]), dtype).dtype == dtype


def test_memory_that_others_write_to_is_copied() -> None:
    with mmap.mmap(-1, 4) as memory:
        view = np.frombuffer(memory, np.uint8)
        view.flags.writeable = False
        kept = frozen(view)
        memory[0] = 7
        assert kept[0] == 0
        del view
