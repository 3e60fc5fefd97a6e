"""One writer a lake, whatever became of the last one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lakehouse.delta import writer_lock
from lakehouse.delta.writer_lock import only_writer, started
from lakehouse.errors import DataError

HOLD = (
    "import sys, time; from pathlib import Path; from lakehouse.delta.writer_lock import only_writer; import os\n"
    "with only_writer(Path(sys.argv[1]), [os.getpid(), int(sys.argv[2])]):\n"
    "    print('held', flush=True); time.sleep(60)\n"
)


def holding(path: Path, other: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(other)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_is_refused_and_a_killed_one_replaced(tmp_path: Path) -> None:
    path = tmp_path / "lake" / ".writer.lock"
    first = holding(path, os.getpid())
    with pytest.raises(DataError, match=f"process {first.pid}"), only_writer(path, [os.getpid()]):
        pass
    first.send_signal(signal.SIGKILL)
    first.wait()
    with only_writer(path, [os.getpid()]):
        assert json.loads(path.read_text()) == {str(os.getpid()): started(os.getpid())}
    assert path.read_text() == ""


def test_a_refused_ingest_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / ".writer.lock"
    with pytest.raises(DataError, match="stop"), only_writer(path, [os.getpid()]):
        raise DataError("stop")
    assert path.read_text() == ""


def test_whoever_takes_over_waits_for_what_the_dead_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".writer.lock"
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"])
    path.write_text(json.dumps({"1": "another start", str(left.pid): started(left.pid)}))
    began = time.monotonic()
    with only_writer(path, [os.getpid()]):
        assert time.monotonic() - began > 0.3
    left.wait()
    monkeypatch.setattr(writer_lock, "LAST_WORDS_SECONDS", 0.2)
    stays = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    path.write_text(json.dumps({str(stays.pid): started(stays.pid)}))
    with pytest.raises(DataError, match="still runs"), only_writer(path, [os.getpid()]):
        pass
    stays.kill()
    stays.wait()
