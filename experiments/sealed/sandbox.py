"""A sandbox for a job: no network and no files but those it is given; made by bubblewrap, or by root's own tools."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lakehouse.errors import ConfigurationError

NOBODY = 65534
PASSWD = f"job:x:{NOBODY}:{NOBODY}::/home/job:/usr/sbin/nologin\n"
HOSTS = "127.0.0.1 localhost\n"
SYSTEM = ("/usr", "/etc/alternatives", "/etc/ld.so.cache", "/etc/java-17-openjdk", "/etc/java-21-openjdk")
"""What every program needs, where it is there; no other part of the machine exists inside."""

LINKS = ("bin", "lib", "lib64", "sbin")


@dataclass(frozen=True)
class Sandbox:
    """What exists for a job: folders it may read, folders it may write, its environment; nothing else.

    Both maps go from the place inside to the folder outside.
    """

    read: Mapping[str, Path]
    write: Mapping[str, Path]
    environment: Mapping[str, str] = field(default_factory=dict)


def interpreter_folders() -> list[Path]:
    """Folders the running Python lives in: its environment and the installation behind it."""
    places = {Path(sys.prefix), Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve()}
    return sorted(place for place in places if not place.is_relative_to("/usr"))


def method() -> str:
    """``bubblewrap`` or ``unshare`` (root alone), or a refusal that says what is missing.

    Raises :class:`ConfigurationError` where this machine has neither.
    """
    if shutil.which("bwrap") and _works(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]):
        return "bubblewrap"
    tools = all(shutil.which(name) for name in ("unshare", "setpriv", "chroot", "mount"))
    if os.geteuid() == 0 and tools and _works(["unshare", "-n", "-p", "-m", "-f", "true"]):
        return "unshare"
    raise ConfigurationError(
        "A job cannot be sealed on this machine.",
        "Neither bubblewrap nor root's unshare and setpriv can give it a sandbox without network and other files.",
        "Install bubblewrap (apt-get install bubblewrap), or run the Sealed level on a cluster as SECURITY.md says.",
    )


def _works(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run(sandbox: Sandbox, command: Sequence[str], by: str | None = None) -> int:
    """Run a command in the sandbox and return its exit code; ``by`` chooses the method (default: what is there)."""
    chosen = by or method()
    with tempfile.TemporaryDirectory(prefix="patternlake-sandbox-") as place:
        folder = Path(place)
        for name, text in (("passwd", PASSWD), ("hosts", HOSTS)):
            (folder / name).write_text(text)
        build = bubblewrapped if chosen == "bubblewrap" else unshared
        argv = build(sandbox, command, folder)
        process = subprocess.Popen(argv, env=dict(sandbox.environment), stdin=subprocess.DEVNULL)
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            return process.wait()


def bubblewrapped(sandbox: Sandbox, command: Sequence[str], folder: Path) -> list[str]:
    """Arguments for bubblewrap. It starts under the sandbox's environment alone: its own is readable in /proc/1."""
    argv = [
        str(shutil.which("bwrap")),
        "--unshare-all",
        "--unshare-user",
        "--uid",
        str(NOBODY),
        "--gid",
        str(NOBODY),
    ]
    argv += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sealed"]
    for place in SYSTEM:
        argv += ["--ro-bind-try", place, place]
    for link in LINKS:
        argv += ["--symlink", f"usr/{link}", f"/{link}"]
    argv += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/home/job"]
    argv += [
        "--ro-bind",
        str(folder / "passwd"),
        "/etc/passwd",
        "--ro-bind",
        str(folder / "hosts"),
        "/etc/hosts",
    ]
    for inside, outside in sandbox.write.items():
        argv += ["--bind", str(outside), inside]
    for inside, outside in sandbox.read.items():
        argv += ["--ro-bind", str(outside), inside]
    return [*argv, "--chdir", "/tmp", *command]


def unshared(sandbox: Sandbox, command: Sequence[str], folder: Path) -> list[str]:
    """Arguments for root: new namespaces, a root of nothing but the sandbox, then an account without any power."""
    root, path = folder / "root", sandbox.environment.get("PATH", "/usr/bin:/bin")
    lines = [
        "set -e",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        f"mkdir -p {root}",
        f"mount -t tmpfs -o mode=0755 sandbox {root}",
        f"cd {root}",
    ]
    lines += [f"ln -s usr/{link} {link}" for link in LINKS]
    lines += ["mkdir -p proc dev tmp etc home/job", "mount -t proc proc proc", "chmod 1777 tmp"]
    lines += [
        f"touch dev/{name} && mount --bind /dev/{name} dev/{name}"
        for name in ("null", "zero", "random", "urandom")
    ]
    lines += [
        "ln -s /proc/self/fd dev/fd",
        "mkdir -p dev/shm && chmod 1777 dev/shm",
        f"cp {folder}/passwd {folder}/hosts etc/",
        f"chown {NOBODY} home/job",
    ]
    read = {place: Path(place) for place in SYSTEM if Path(place).exists()} | dict(sandbox.read)
    for inside, outside in [*sandbox.write.items(), *read.items()]:
        target, source = shlex.quote(inside.lstrip("/")), shlex.quote(str(outside))
        if outside.is_dir():
            lines.append(f"mkdir -p {target}")
        else:
            lines.append(f"mkdir -p {shlex.quote(str(Path(inside.lstrip('/')).parent))} && touch {target}")
        lines.append(f"mount --bind {source} {target}")
        if inside in sandbox.write:
            lines.append(f"chown {NOBODY} {target}")
        else:
            lines.append(f"mount -o remount,ro,bind {target}")
    lines += ["ip link set lo up 2>/dev/null || true"]
    inner = [
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
    ]
    lines.append(
        f"exec chroot {root} {shlex.join([*inner, 'env', f'PATH={path}', '--chdir=/tmp', *command])}"
    )
    script = "\n".join(lines)
    return ["unshare", "-m", "-n", "-p", "-u", "-i", "-f", "--kill-child", "sh", "-c", script]
