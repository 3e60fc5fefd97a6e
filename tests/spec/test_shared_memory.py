"""Memory shared by driver and workers: what is put comes back, what does not fit is refused, nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from experiments.execution import shared_memory
from experiments.execution.over_spark import SharedArguments, received, shipped
from experiments.execution.shared_memory import SharedMemory
from experiments.kernels.packing import unpack


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SharedMemory:
    monkeypatch.setattr(shared_memory, "MEMORY", tmp_path)
    made = SharedMemory.of(context("local[2]"))
    assert made is not None
    return made


def context(master: str) -> Any:
    return SimpleNamespace(master=master)


ARRAYS: dict[str, np.ndarray] = {
    "counts": np.array([[0, 1, 254], [255, 70_000, 3]], np.int32),
    "sums": np.linspace(0, 1, 7),
    "none": np.zeros((0, 4), np.int64),
}


@pytest.mark.parametrize("shared", [True, False])
def test_arrays_arrive_as_they_were_by_either_way(memory: SharedMemory, shared: bool) -> None:
    rows = pa.Table.from_batches(list(shipped(3, ARRAYS, memory if shared else None)))
    assert any(memory.folder.iterdir()) == shared
    (arrays,) = map(unpack, received(rows))
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    memory.close()
    assert not memory.folder.exists()


def test_what_does_not_fit_leaves_no_file(memory: SharedMemory) -> None:
    def pieces() -> Any:
        yield b"a beginning"
        raise OSError(28, "No space left on device")

    assert memory.put("large", pieces()) is None
    assert list(memory.folder.iterdir()) == []


def test_a_second_attempt_of_a_task_does_not_write_over_the_first(memory: SharedMemory) -> None:
    first = memory.put("3-0", [b"first"])
    assert memory.put("3-0", [b"second"]) is None
    assert first is not None
    rows = pa.Table.from_batches(list(shipped(3, {"sums": ARRAYS["sums"]}, memory)))
    np.testing.assert_array_equal(unpack(received(rows)[0])["sums"], ARRAYS["sums"])


def test_arguments__are_opened_where_they_lie_and_whoever_writes_changes_no_one_elses(
    memory: SharedMemory,
) -> None:
    parcel = SharedArguments.put(memory, ("words", ARRAYS, 7))
    assert parcel is not None
    for _ in range(2):
        words, arrays, number = parcel.open()
        assert (words, number) == ("words", 7)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(arrays[name], array)
            assert arrays[name].dtype == array.dtype and arrays[name].flags.aligned
            assert not array.size or not arrays[name].flags.owndata
            arrays[name][...] = 1
    assert SharedArguments.put(memory, "again") is None, "a second parcel does not write over the first"


def test_only_this_account_can_enter(memory: SharedMemory) -> None:
    assert memory.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("master", ["local-cluster[1,1,1024]", "spark://127.0.0.1:7077", "yarn"])
def test_a_cluster_shares_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, master: str) -> None:
    monkeypatch.setattr(shared_memory, "MEMORY", tmp_path)
    assert SharedMemory.of(context(master)) is None
    assert list(tmp_path.iterdir()) == []


def test_without_such_memory_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "MEMORY", tmp_path / "nowhere")
    assert SharedMemory.of(context("local[2]")) is None


def test_what_a_killed_process_left_is_removed(memory: SharedMemory, tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (left := tmp_path / f"patternlake-{dead.pid}-x").mkdir()
    (left / "3-0").write_bytes(b"counts")
    SharedMemory.of(context("local[1]"))
    assert not left.exists()
    assert memory.folder.exists(), "ours, whose process lives"
