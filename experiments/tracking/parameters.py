"""Parameters of a job as a file: TOML, one a line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping


def as_toml(values: Mapping[str, object]) -> str:
    """The text of ``params.toml``; a parameter that is None stands in a remark, since TOML has no such value."""
    return "".join(
        f"# {name} is not set\n" if value is None else f"{name} = {_value(value)}\n"
        for name, value in values.items()
    )


def _value(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(str(name))} = {_value(each)}" for name, each in value.items())
        return "{" + inside + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return json.dumps(value if isinstance(value, (bool, int, float, str)) else str(value))
