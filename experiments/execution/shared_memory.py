"""Memory that the driver and the workers of one machine share: large counts pass through it instead of through the JVM.

Only in local mode, where driver and workers are one account on one machine. Elsewhere, and wherever the
memory does not suffice, everything goes through Spark: slower, the same.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark import SparkContext

MEMORY = Path("/dev/shm")
"""A file system in memory, where Linux has one."""

_PREFIX = "patternlake-"


@dataclass(frozen=True)
class SharedMemory:
    """A folder in memory that only this account can enter; :meth:`close` leaves nothing of it."""

    folder: Path

    @classmethod
    def of(cls, context: SparkContext) -> SharedMemory | None:
        """A new folder where driver and workers share memory, else None."""
        master = context.master or ""
        if not (master == "local" or master.startswith("local[")):
            return None
        try:
            _sweep()
            return cls(Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=MEMORY)))
        except OSError:
            return None

    def put(self, name: str, pieces: Iterable[Any]) -> Path | None:
        """Write pieces one after another into a file; None, and no file, where memory does not suffice."""
        path = self.folder / name
        try:
            with path.open("xb") as file:
                for piece in pieces:
                    file.write(piece)
        except FileExistsError:
            return None
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        return path

    def close(self) -> None:
        """Give the memory back; what is still mapped stays readable until it is let go."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sweep() -> None:
    """Remove folders whose process was killed before it could."""
    for folder in MEMORY.glob(f"{_PREFIX}*-*"):
        process = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if process.isdigit() and not Path(f"/proc/{process}").exists():
            shutil.rmtree(folder, ignore_errors=True)
