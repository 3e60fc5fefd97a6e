"""Filter conditions of a plan as SQL text over a table's own columns, with person tokens made unreadable."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from lakehouse.governance.plans.tree import Node

INFIX = {
    "EqualTo": "=",
    "EqualNullSafe": "<=>",
    "LessThan": "<",
    "LessThanOrEqual": "<=",
    "GreaterThan": ">",
    "GreaterThanOrEqual": ">=",
    "And": "AND",
    "Or": "OR",
    "Add": "+",
    "Subtract": "-",
    "Multiply": "*",
    "Divide": "/",
    "IntegralDivide": "DIV",
    "Remainder": "%",
}
CALLS = {
    "StartsWith": "startswith",
    "EndsWith": "endswith",
    "Contains": "contains",
    "RLike": "rlike",
    "Year": "year",
    "Month": "month",
    "DayOfMonth": "day",
    "Abs": "abs",
    "Size": "size",
    "ArrayContains": "array_contains",
    "Coalesce": "coalesce",
    "Upper": "upper",
    "Lower": "lower",
    "Length": "length",
    "Substring": "substring",
    "DateDiff": "datediff",
    "Greatest": "greatest",
    "Least": "least",
}
SUFFIX = {"IsNull": "IS NULL", "IsNotNull": "IS NOT NULL"}
NUMBERS = ("byte", "short", "integer", "long", "float", "double")
TOKEN = re.compile(r"'[0-9a-f]{34}'")
"""A person, encounter or stay token as it stands in a predicate."""


def conjuncts(condition: Node) -> list[Node]:
    """The parts of a condition that must all hold."""
    if condition.name == "And":
        return [part for child in condition.children for part in conjuncts(child)]
    return [condition]


def render(node: Node, name_of: Callable[[Node], str | None]) -> str | None:
    """SQL text of an expression, or ``None`` when it is not one that means the same wherever it is run.

    ``name_of`` gives the text of an attribute. User functions, subqueries and anything random are not
    rendered: a read is then counted without that condition, so it is never understated.
    """
    if node.name == "AttributeReference":
        return name_of(node)
    if node.name == "Literal":
        return literal(node)
    if node.name == "Cast":
        return _cast(node, name_of)
    if node.name in ("Between", "Like", "ILike") or "replacement" in node.fields:
        return _special(node, name_of)
    parts = [render(child, name_of) for child in node.children]
    texts = [part for part in parts if part is not None]
    if not texts or len(texts) < len(parts):
        return None
    if node.name in INFIX and len(texts) == 2:
        return f"({texts[0]} {INFIX[node.name]} {texts[1]})"
    if node.name in SUFFIX:
        return f"({texts[0]} {SUFFIX[node.name]})"
    if node.name == "Not":
        return f"(NOT {texts[0]})"
    if node.name == "In":
        return f"({texts[0]} IN ({', '.join(sorted(texts[1:]))}))" if len(texts) > 1 else None
    return f"{CALLS[node.name]}({', '.join(texts)})" if node.name in CALLS else None


def literal(node: Node) -> str | None:
    """SQL text of a constant of a simple type."""
    value, kind = node.fields.get("value"), node.fields.get("dataType")
    if value is None:
        return "NULL"
    if kind in NUMBERS:
        return str(value) if kind in ("integer", "short", "byte", "long") else f"CAST('{value}' AS DOUBLE)"
    if kind == "boolean":
        return str(value).upper()
    if kind == "string":
        return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
    if kind == "date":
        return f"DATE '{value}'" if "-" in str(value) else f"DATE_FROM_UNIX_DATE({value})"
    if isinstance(kind, str) and kind.startswith("decimal"):
        return f"CAST('{value}' AS {kind})"
    return None


def _cast(node: Node, name_of: Callable[[Node], str | None]) -> str | None:
    inner, kind = render(node.children[0], name_of), node.fields.get("dataType")
    if inner is None or not isinstance(kind, str) or kind.startswith("interval"):
        return None
    named = {"integer": "INT", "long": "BIGINT", "short": "SMALLINT", "byte": "TINYINT"}.get(kind, kind)
    return f"CAST({inner} AS {named.upper()})"


def _special(node: Node, name_of: Callable[[Node], str | None]) -> str | None:
    if node.name == "Between":
        named = [node.trees(part) for part in ("input", "lower", "upper")]
        parts = [render(each[0], name_of) if each else None for each in named]
        return None if None in parts else f"({parts[0]} BETWEEN {parts[1]} AND {parts[2]})"
    if node.name in ("Like", "ILike"):
        left, right = (render(child, name_of) for child in node.children[:2])
        plain = node.fields.get("escapeChar") is None
        return f"({left} {node.name.upper()} {right})" if plain and left and right else None
    return render(node.children[-1], name_of) if len(node.children) == 1 else None


def without_tokens(predicate: str) -> str:
    """The predicate with every person token replaced by a short hash, fit for a record that people read."""
    return TOKEN.sub(lambda hit: f"'#{hashlib.sha256(hit[0].encode()).hexdigest()[:10]}'", predicate)
