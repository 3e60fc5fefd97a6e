"""The platform's own reading: while it is at work, what it reads is not a study's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_platform = threading.local()


@contextmanager
def platform_at_work() -> Iterator[None]:
    """A block in which the platform itself opens such files on this thread, and no watch reports it."""
    before = getattr(_platform, "on", False)
    _platform.on = True
    try:
        yield
    finally:
        _platform.on = before


def is_platform_at_work() -> bool:
    """Whether this thread is in such a block."""
    return bool(getattr(_platform, "on", False))
