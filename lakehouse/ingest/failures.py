"""Failures inside Spark told as refusals: no stack of frames, and never a value of a delivery."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse.errors import DataError, PatternlakeError
from lakehouse.identity.person_numbers import scrub
from lakehouse.spark_internals.connection import is_from_spark

OURS = re.compile(r"lakehouse\.errors\.(\w+): (.+?)(?:\n|$)")
FULL = ("No space left on device", "Disk quota exceeded")


@contextmanager
def explained() -> Iterator[None]:
    """Turn what Spark throws into a :class:`DataError` of one sentence; our own refusals pass through."""
    try:
        yield
    except PatternlakeError:
        raise
    except OSError as error:
        if any(sign in str(error) for sign in FULL):
            raise no_space() from None
        raise
    except Exception as error:
        if not is_from_spark(error):
            raise
        raise told(str(error)) from None


def told(text: str) -> DataError:
    """The refusal behind the text of an exception that came out of Spark."""
    if any(sign in text for sign in FULL):
        return no_space()
    if ours := OURS.search(text):
        return DataError(scrub(ours[2]))
    first = scrub(text.strip().splitlines()[0] if text.strip() else "no message")
    return DataError(
        f"Spark could not finish: {first[:300]}",
        "Nothing half-done is visible; what was recorded stays.",
        "Repeat the command; if it fails again, set PATTERNLAKE_VERBOSE=1 and look at the log.",
    )


def no_space() -> DataError:
    """The refusal of a full disk."""
    return DataError(
        "The disk is full.",
        "Tables are written whole or not at all, so the lake is as it was before the last step.",
        "Make room and repeat the command: it goes on where it stopped.",
    )
