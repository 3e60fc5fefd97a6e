"""Which code a run ran: the commit and whether it was changed, else the version of the package."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@cache
def code_version() -> str:
    """``0.1.0+abc1234`` from a checkout (``.dirty`` when files differ from the commit), else ``0.1.0``."""
    try:
        release = version("patternlake")
    except PackageNotFoundError:
        release = "unreleased"
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return release
    try:
        commit = _git(root, "rev-parse", "--short", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return release
    return f"{release}+{commit}" + (".dirty" if changed else "")


@cache
def environment_hash() -> str:
    """SHA-256 over Python's version and the names and versions of all installed packages."""
    folders = [Path(place) for place in sys.path if place and Path(place).is_dir()]
    packages = {each.name for folder in folders for each in folder.glob("*.dist-info")}
    return hashlib.sha256("\n".join([platform.python_version(), *sorted(packages)]).encode()).hexdigest()


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
