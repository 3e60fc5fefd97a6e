"""Process-wide register of which study handed out which table, so that concurrent studies can tell their reads apart."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass

EARLIER = "@"
"""Between a table's name and the number of an earlier version."""


KEPT_ENDED = 200
"""Openings of ended studies that stay known though no open study can need them, so that a refusal names whose they were."""


@dataclass
class Opening:
    """One table handed out: to which study, with which columns; ``closed`` is when that study ended.

    ``over`` is when the study's own counting ended too, so that from then on nobody reads under it rightly.

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
    over: float | None = None

    @property
    def reading(self) -> str:
        """What is read, by the name records have it under: the table, and an earlier version's number behind it."""
        return self.table if self.version is None else f"{self.table}{EARLIER}{self.version}"

    def open_at(self, moment: float) -> bool:
        """Whether reads at this moment belonged to an open study."""
        return self.platform or self.closed is None or moment <= self.closed


_register: dict[str, Opening] = {}
_open_since: dict[int, float] = {}
_lock = threading.Lock()


def begin(serial: int) -> None:
    """Note that a study opens: what others hand out from now until they end stays known until this one has ended."""
    with _lock:
        _open_since[serial] = time.monotonic()


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


def end(serial: int) -> None:
    """Note that a study reads no more, nor counts, and forget openings that no study still open can come upon.

    A study can come upon the openings of all that ended after it opened. Older ones are refused either way; the
    last ``KEPT_ENDED`` of them are kept so that the refusal of a frame kept from an ended study can say so.
    """
    with _lock:
        moment = time.monotonic()
        _open_since.pop(serial, None)
        for opening in _register.values():
            if opening.serial == serial:
                opening.over = moment
        oldest = min(_open_since.values(), default=moment)
        past = [nonce for nonce, each in _register.items() if each.over is not None and each.over <= oldest]
        spare = [nonce for nonce in past if _register[nonce].platform]
        ended = [nonce for nonce in past if not _register[nonce].platform]
        for nonce in [*spare, *ended[: max(0, len(ended) - KEPT_ENDED)]]:
            del _register[nonce]


def register() -> dict[str, Opening]:
    """All openings by their nonce."""
    with _lock:
        return dict(_register)
