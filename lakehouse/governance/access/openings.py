"""Process-wide register of which study handed out which table, so that concurrent studies can tell their reads apart."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass

EARLIER = "@"
"""Between a table's name and the number of an earlier version."""


@dataclass
class Opening:
    """One table handed out: to which study, with which columns; ``closed`` is when that study ended.

    ``platform`` marks the platform's own counting, which other open studies see but need not explain;
    ``version`` is that of the table where it is an earlier one than the study is pinned to.
    """

    study: str
    serial: int
    table: str
    columns: tuple[str, ...]
    platform: bool = False
    closed: float | None = None
    version: int | None = None

    @property
    def reading(self) -> str:
        """What is read, by the name records have it under: the table, and an earlier version's number behind it."""
        return self.table if self.version is None else f"{self.table}{EARLIER}{self.version}"

    def open_at(self, moment: float) -> bool:
        """Whether reads at this moment belonged to an open study."""
        return self.platform or self.closed is None or moment <= self.closed


_register: dict[str, Opening] = {}
_lock = threading.Lock()


def issue(
    study: str,
    serial: int,
    table: str,
    columns: tuple[str, ...],
    *,
    platform: bool = False,
    version: int | None = None,
) -> str:
    """Enter an opening and return the name under which its table goes into plans."""
    nonce = secrets.token_hex(4)
    with _lock:
        _register[nonce] = Opening(study, serial, table, columns, platform, version=version)
    return f"{table}@{study}#{nonce}"


def close(serial: int) -> None:
    """Note that a study ended: what is read under its openings from now on is nobody's."""
    with _lock:
        for opening in _register.values():
            if opening.serial == serial and opening.closed is None:
                opening.closed = time.monotonic()


def register() -> dict[str, Opening]:
    """All openings by their nonce."""
    with _lock:
        return dict(_register)
