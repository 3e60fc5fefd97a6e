"""The one text of a definition's content, whatever its file looks like, and the hash over it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import date, time
from enum import Enum
from typing import Any

from lakehouse.definitions.values import Reference


def canonical_text(content: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: equal contents give equal texts, different ones different texts."""
    return json.dumps(plain(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 over :func:`canonical_text`, hex."""
    return hashlib.sha256(canonical_text(content).encode()).hexdigest()


def plain(value: Any, whole: bool = False) -> Any:
    """A value of a definition as JSON knows it.

    A field of a dataclass that holds its default is left out, so that a definition keeps its hash when a later
    version of the platform knows more fields; ``whole`` keeps such fields, for people. Dates and references are
    marked with ``$``, which keeps them apart from texts; a key that begins with ``$`` gets another one.
    ``TypeError`` for what no definition can hold.
    """
    if isinstance(value, Reference):
        return {"$ref": [value.family, value.id, value.version, value.hash]}
    if isinstance(value, Enum):
        return plain(value.value, whole)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: told
            for field in dataclasses.fields(value)
            if (told := own(value, field, whole)) is not ...
        }
    if isinstance(value, date | time):
        return {"$" + type(value).__name__: value.isoformat()}
    if isinstance(value, Mapping):
        return {
            ("$" + key if str(key).startswith("$") else key): plain(each, whole) for key, each in keyed(value)
        }
    if isinstance(value, tuple | list):
        return [plain(each, whole) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"No definition can hold a {type(value).__name__}.")


def keyed(value: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    """Entries of a mapping by the text of their key."""
    return [(key.value if isinstance(key, Enum) else key, each) for key, each in value.items()]


def own(holder: Any, field: dataclasses.Field[Any], whole: bool) -> Any:
    """The plain value of a field, or ``...`` where it is the default (``1`` and ``1.0`` are two values)."""
    told = plain(getattr(holder, field.name), whole)
    if whole:
        return told
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        return told
    return ... if json.dumps(told, sort_keys=True) == json.dumps(plain(default), sort_keys=True) else told
