"""Numbers and codes as a reader can use them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

HIDDEN = "–"
"""Stands for a number that was hidden or not computed."""

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def named(row: Mapping[str, Any], side: str) -> str:
    """A code with its name, for a sentence."""
    text = row[f"text_{side}"]
    code = row[f"code_{side}"]
    return f"{text} ({code})" if text else str(code)


def ratio(value: float | None) -> str:
    """A ratio with as many digits as a reader can use."""
    if value is None or not math.isfinite(value):
        return HIDDEN if value is None else "∞"
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 3 else f"{value:.2f}"


def days(value: float) -> str:
    """A time in the unit a reader thinks in."""
    if value < 60:
        return f"{value:.0f} days"
    return f"{value / 30.44:.0f} months" if value < 730 else f"{value / 365.25:.1f} years"


def small_number(value: float | None) -> str:
    """A q-value: two digits, or a power of ten where it is tiny."""
    if value is None or math.isnan(value):
        return HIDDEN
    if value >= 0.001:
        return f"{value:.3f}"
    return "< 10⁻³⁰⁰" if value <= 1e-300 else "10" + str(math.floor(math.log10(value))).translate(SUPERSCRIPT)


def steps(row: Mapping[str, Any], joined: str = " → ") -> str:
    """The items of a row with their names, for a sentence."""
    pairs = zip(row["items"] or (), row["texts"] or (), strict=True)
    return joined.join(f"{text} ({code})" if text else str(code) for code, text in pairs)


def count(value: int | None) -> str:
    """A number of persons, or that it is hidden."""
    return HIDDEN if value is None else f"{value:,}"


def share(value: float | None) -> str:
    """A share in per cent."""
    return HIDDEN if value is None else f"{100 * value:.0f} %"


def days_or_hidden(value: float | None) -> str:
    """A time, or that it is hidden."""
    return HIDDEN if value is None else days(value)


def verdict(value: bool | None) -> str:
    """Whether something was found again."""
    return {True: "yes", False: "no", None: "not tested"}[value]


def number(value: int | None) -> str:
    """A running number as a reader counts, from 1."""
    return HIDDEN if value is None else str(value + 1)


def tenth(value: float | None) -> str:
    """A number that is not whole, to a tenth."""
    return HIDDEN if value is None else f"{value:,.1f}"
