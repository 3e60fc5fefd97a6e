"""What a machine needs, found or named: Python, Java, the environment, Delta's JARs, disk. Standard library only.

Runs before anything is installed (``python3 -m lakehouse.doctor``), so it imports nothing but itself.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

JAVA_VERSIONS = (17, 21)
JAVA_HELP = (
    "Install a Java 17 runtime: 'apt-get install openjdk-17-jre-headless' on Debian or Ubuntu, "
    "'dnf install java-17-openjdk-headless' on Fedora or RHEL, 'brew install openjdk@17' on macOS; "
    "or set JAVA_HOME to one you have."
)


class Finding(NamedTuple):
    """One thing looked for: its name, whether it is there, what was seen, and how to get it."""

    name: str
    ok: bool
    seen: str
    remedy: str = ""


def java_version(java: Path) -> int | None:
    """Major version of a ``java`` program, or None when it does not run."""
    try:
        run = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', run.stderr + run.stdout)
    return int(found[1]) if found else None


def java_homes() -> Iterator[Path]:
    """Folders that may hold a Java, the user's own choice first."""
    if given := os.environ.get("JAVA_HOME"):
        yield Path(given)
    if on_path := shutil.which("java"):
        yield Path(on_path).resolve().parent.parent
    for folder in ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines", "/opt/homebrew/opt"):
        if Path(folder).is_dir():
            for home in sorted(Path(folder).iterdir()):
                yield home / "Contents" / "Home" if (home / "Contents" / "Home").is_dir() else home


def find_java() -> Path | None:
    """Home of the first Java that Spark 4 runs on (17 or 21), or None."""
    for home in java_homes():
        if (home / "bin" / "java").exists() and java_version(home / "bin" / "java") in JAVA_VERSIONS:
            return home
    return None


def ensure_java(*, install: bool = False) -> Path:
    """Set ``JAVA_HOME`` to a usable Java and return it.

    With ``install`` and as root on Debian or Ubuntu, apt is asked for one. Raises ``SystemExit`` with one
    sentence when there is none.
    """
    home = find_java()
    if home is None and install and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Java 17 is missing: installing openjdk-17-jre-headless with apt-get ...", file=sys.stderr)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["update", "-q"],
            ["install", "-qy", "--no-install-recommends", "openjdk-17-jre-headless"],
        ):
            subprocess.run(["apt-get", *command], check=False, env=environment, stdout=subprocess.DEVNULL)
        home = find_java()
    if home is None:
        raise SystemExit(f"Spark needs Java 17 (or 21) and none was found. {JAVA_HELP}")
    os.environ["JAVA_HOME"] = str(home)
    return home


def findings(environment: Path) -> list[Finding]:
    """Everything a run needs, each with what was seen; ``environment`` is the project's virtual environment."""
    version = ".".join(map(str, sys.version_info[:3]))
    java = find_java()
    python = environment / "bin" / "python"
    ivy = any(Path.home().glob(".ivy2*/**/*delta-spark_*4.4.0*.jar"))
    free = shutil.disk_usage(Path.home() if Path.home().is_dir() else "/").free / 1e9
    return [
        Finding(
            "Python 3.11 or newer", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer."
        ),
        Finding(
            "venv module",
            _importable("ensurepip"),
            "ensurepip",
            "Debian or Ubuntu: apt-get install python3-venv.",
        ),
        Finding("make", shutil.which("make") is not None, shutil.which("make") or "none", "Install make."),
        Finding("Java 17 or 21", java is not None, str(java or "none"), JAVA_HELP),
        Finding("environment", python.exists(), str(environment), "Run 'make setup'."),
        Finding(
            "Delta's JARs", ivy, "cached" if ivy else "not yet", "Fetched at the first start (some 25 s)."
        ),
        Finding("5 GB of disk", free >= 5, f"{free:.0f} GB free", "Free some disk space."),
    ]


def _importable(module: str) -> bool:
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def report(environment: Path) -> int:
    """Print the findings; the number of things missing that no later step brings by itself."""
    missing = 0
    for finding in findings(environment):
        later = finding.name in ("environment", "Delta's JARs")
        missing += not finding.ok and not later
        mark = "ok     " if finding.ok else "later  " if later else "MISSING"
        print(f"{mark} {finding.name:<22} {finding.seen}" + ("" if finding.ok else f"  -> {finding.remedy}"))
    return missing


def main() -> int:
    """Entry point of ``python -m lakehouse.doctor``."""
    parser = argparse.ArgumentParser(description="Say what is missing on this machine and how to get it.")
    parser.add_argument(
        "--install-java", action="store_true", help="install Java with apt when root and missing"
    )
    parser.add_argument("--environment", type=Path, default=Path(__file__).resolve().parents[1] / ".venv")
    arguments = parser.parse_args()
    if arguments.install_java:
        print(ensure_java(install=True))
        return 0
    return 10 if report(arguments.environment) else 0


if __name__ == "__main__":
    raise SystemExit(main())
