"""``patternlake ui`` as it runs: on loopback alone, foreign hosts and origins refused, nothing extra started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.tracking import server
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings, load_settings


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def settings_at(home: Path, kind: str | None) -> Settings:
    settings = load_settings(home, "test")
    if kind:
        settings.lake.mkdir(parents=True)
        (settings.lake / "lake.toml").write_text(f'kind = "{kind}"\n')
    return settings


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    home, port = tmp_path_factory.mktemp("ui") / "home", free_port()
    settings_at(home, "synthetic")
    line = [sys.executable, "-m", "experiments.cli", "ui", "--port", str(port), "--lake", str(home)]
    process = subprocess.Popen(
        line, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        ends = time.monotonic() + 240
        while status(port) != 200:
            assert process.poll() is None and time.monotonic() < ends, "the server does not answer"
            time.sleep(1)
        yield port, process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def status(port: int, host: str | None = None, origin: str | None = None) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{'' if host else 'health'}")
    if host:
        request.add_header("Host", host)
    if origin:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/create", b'{"name": "x"}', method="POST"
        )
        request.add_header("Origin", origin)
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_it_answers_this_machine_and_no_other_name(running: tuple[int, int]) -> None:
    port, _ = running
    assert status(port) == 200
    assert status(port, host="evil.example") == 403
    assert status(port, origin="http://evil.example") == 403
    with socket.socket() as probe:
        probe.settimeout(2)
        outside = socket.gethostbyname(socket.gethostname())
        if not outside.startswith("127."):
            assert probe.connect_ex((outside, port)) != 0, "it must not listen beyond loopback"


def test_no_job_runner_and_no_gateway_is_started(running: tuple[int, int]) -> None:
    _, group = running
    lines = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                lines.append((path / "cmdline").read_text().replace("\0", " "))
        except (OSError, ValueError):
            continue
    assert lines and not [
        line for line in lines if "huey" in line or "job_execution" in line or "gateway" in line
    ]
    assert len(lines) <= 6, lines


def test_everything_is_switched_off_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_at(tmp_path, None)
    for name in server.HARDENED:
        monkeypatch.setenv(name, "on")
    monkeypatch.setenv("PATTERNLAKE_VAULT", "/somewhere")
    given = server.environment(settings, 5000)
    assert {name: given[name] for name in server.HARDENED} == dict(server.HARDENED)
    assert "PATTERNLAKE_VAULT" not in given and given["MLFLOW_SERVER_ALLOWED_HOSTS"].startswith(
        "127.0.0.1:5000"
    )
    line = server.command(settings, 5000)
    assert line[line.index("--host") + 1] == "127.0.0.1"


def test_a_real_lake_in_reach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="another account"):
        server.serve(settings_at(tmp_path, "real"), free_port())


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigurationError, match="--port"):
            server.serve(settings_at(tmp_path, None), int(taken.getsockname()[1]))
