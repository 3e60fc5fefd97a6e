"""Packed arrays come back exactly, in fewer bytes where values are small."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from experiments.kernels.packing import pack, unpack

KINDS = st.sampled_from([np.int8, np.uint8, np.int16, np.int32, np.int64, np.float64, np.float32])


@settings(deadline=None)
@given(KINDS.flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_side=0, max_dims=4))))
def test_pack__is_exact(array: np.ndarray) -> None:
    back = unpack(pack({"x": array, "y": array[:0]}))
    assert back["x"].dtype == array.dtype
    np.testing.assert_array_equal(back["x"], array)
    assert back["y"].shape == array[:0].shape


def test_pack__is_small_where_values_are() -> None:
    counts = np.random.default_rng(1).poisson(3, (200, 300)).astype(np.int64)
    counts[5, 5] = 10**12
    (packed,) = pack({"counts": counts})
    assert len(packed.content) < counts.nbytes / 7
    np.testing.assert_array_equal(unpack([packed])["counts"], counts)


def test_pack__keeps_large_values_plain() -> None:
    large = np.arange(10_000, 20_000, dtype=np.int32)
    (packed,) = pack({"large": large})
    assert packed.layout == "plain"
    np.testing.assert_array_equal(unpack([packed])["large"], large)
