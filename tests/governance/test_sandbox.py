"""The sandbox of a sealed job: only what was given exists, nothing but its own can be written, and there is no network."""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from experiments.sealed import sandbox
from lakehouse.errors import ConfigurationError

LOOK = """
import json, os, socket, subprocess, sys
from pathlib import Path

def tried(work):
    try:
        return str(work())
    except Exception as error:
        return type(error).__name__

port = int(sys.argv[2])
found = {
    "given": tried(lambda: Path("/given/data").read_text()),
    "secret": tried(lambda: Path(sys.argv[1]).read_text()),
    "passwd": tried(lambda: Path("/etc/shadow").read_text()),
    "write given": tried(lambda: Path("/given/new").write_text("x")),
    "write out": tried(lambda: Path("/out/new").write_text("x")),
    "network": tried(lambda: socket.create_connection(("127.0.0.1", port), 2)),
    "name": tried(lambda: socket.gethostbyname("example.org")),
    "first process": tried(lambda: Path("/proc/1/environ").read_bytes().decode()),
    "own": tried(lambda: dict(os.environ).get("SECRET_OUTSIDE")),
    "mount": tried(lambda: subprocess.run(["mount", "-t", "tmpfs", "x", "/tmp"], check=True, capture_output=True)),
    "user": tried(lambda: os.getuid()),
    "processes": tried(lambda: len([p for p in os.listdir("/proc") if p.isdigit()])),
    "root": tried(lambda: sorted(os.listdir("/"))),
}
Path("/out/found.json").write_text(json.dumps(found))
"""


def methods() -> list[str]:
    """What can make a sandbox on this machine."""
    found = []
    for name in ("bubblewrap", "unshare"):
        program = "bwrap" if name == "bubblewrap" else "unshare"
        probe = {
            "bwrap": ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"],
            "unshare": ["unshare", "-mnpf", "true"],
        }
        try:
            works = subprocess.run(probe[program], capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            works = False
        if works and (name == "bubblewrap" or os.geteuid() == 0):
            found.append(name)
    return found


@pytest.mark.parametrize("by", ["bubblewrap", "unshare"])
def test_nothing_exists_but_what_was_given(by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if by not in methods():
        pytest.skip(f"{by} does not work on this machine (apt-get install bubblewrap; unshare needs root)")
    monkeypatch.setenv("SECRET_OUTSIDE", "the launcher's own environment")
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)
    for name in ("given", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    (tmp_path / "given" / "data").write_text("allowed")
    secret = tmp_path / "secret"
    secret.write_text("closed")
    secret.chmod(0o644)
    (tmp_path / "look.py").write_text(textwrap.dedent(LOOK))
    own = {str(place): place for place in sandbox.interpreter_folders()}
    made = sandbox.Sandbox(
        read={"/given": tmp_path / "given", "/look.py": tmp_path / "look.py", **own},
        write={"/out": tmp_path / "out"},
        environment={"PATH": "/usr/bin:/bin", "HOME": "/home/job"},
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = sandbox.run(made, [sys.executable, "/look.py", str(secret), str(port)], by)
    assert code == 0
    found = json.loads((tmp_path / "out" / "found.json").read_text())
    assert found["given"] == "allowed" and found["write out"] == "1", "what it needs is there"
    assert found["secret"] in ("FileNotFoundError", "NotADirectoryError")
    assert found["passwd"] == "FileNotFoundError"
    assert found["write given"] in ("OSError", "PermissionError")
    assert (
        found["network"] in ("ConnectionRefusedError", "OSError", "TimeoutError")
        and found["name"] == "gaierror"
    )
    assert "SECRET_OUTSIDE" not in found["first process"] and found["own"] == "None"
    assert found["mount"] in ("CalledProcessError", "PermissionError")
    assert found["user"] == str(sandbox.NOBODY)
    assert int(found["processes"]) < 8, "other programs of the machine are not seen"
    given = {Path(place).parts[1] for place in (*made.read, *made.write, *sandbox.SYSTEM)} | {*sandbox.LINKS}
    assert {*ast.literal_eval(found["root"])} <= given | {"dev", "etc", "home", "proc", "tmp"}


def test_a_machine_without_either_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    with pytest.raises(ConfigurationError, match="Install bubblewrap"):
        sandbox.method()
