"""Types and values of definition files in words, for messages; and the known name that is most like a wrong one."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from lakehouse.definitions.values import Reference, Text

KINDS = {
    bool: "true or false", int: "a whole number", float: "a number", str: "text", date: "a date (2026-01-31)",
    datetime: "a date with time", time: "a time of day", Any: "anything",
    Text: 'text in two languages ({ da = "…", en = "…" })',
}  # fmt: skip
"""Types of single values that a file may hold, in words."""
MOST = 40
"""Characters of a wrong value that a message repeats."""


def choices(wanted: Any) -> list[Any]:
    """The values of a ``Literal`` or an ``Enum``."""
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return list(wanted)
    return list(get_args(wanted))


def joined(key: str, name: str) -> str:
    """A key below another."""
    return f"{key}.{name}" if key else name


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like a wrong one, as a remark in brackets; empty where none is like it."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (the nearest known one is '{found[0]}')" if found else ""


def shown(found: Any) -> str:
    """A wrong value in words."""
    if isinstance(found, Mapping):
        return "a table"
    if isinstance(found, list):
        return "a list"
    if isinstance(found, bool):
        return str(found).lower()
    told = str(found) if len(str(found)) <= MOST else f"{str(found)[:MOST]}…"
    return f"text '{told}'" if isinstance(found, str) else told


def expected(wanted: Any) -> str:
    """A type in words."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted in KINDS:
        return KINDS[wanted]
    if origin is Reference:
        return f'a definition of {arguments[0].family}, written "id@version"'
    if origin in (Union, types.UnionType):
        return " or ".join(expected(each) for each in arguments if each is not type(None))
    if origin is Literal or (isinstance(wanted, type) and issubclass(wanted, Enum)):
        options = (each.value if isinstance(each, Enum) else each for each in choices(wanted))
        return "one of " + ", ".join(shown(each).removeprefix("text ") for each in options)
    if origin is tuple:
        if arguments[-1:] == (...,):
            return f"a list of {expected(arguments[0])}"
        return f"a list of {len(arguments)}: {', '.join(map(expected, arguments))}"
    return "a table"
