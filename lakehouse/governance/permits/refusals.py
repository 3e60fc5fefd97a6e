"""What a study refuses and how it says so: every refusal names all that is missing and the next step."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from lakehouse.data_model import GOLD
from lakehouse.errors import PermissionRefused
from lakehouse.governance.permits.model import ColumnUse, Permit


class MissingGrants(PermissionRefused):
    """A refusal that knows which grants were missing, for the difference between a permit and its use."""

    def __init__(self, missing: tuple[str, ...], what: str, why: str = "", next_step: str = "") -> None:
        self.missing = missing
        super().__init__(what, why, next_step)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.missing, self.what, self.why, self.next_step)


def refuse_unless_open(permit: Permit, actor: str, day: date) -> None:
    """Raise :class:`PermissionRefused` for an expired or future permit and an actor whom it does not name."""
    if not permit.valid_on(day):
        state = "has expired" if day > permit.valid_to else "is not yet valid"
        raise PermissionRefused(
            f"Permit '{permit.permit_id}' {state}: it holds from {permit.valid_from} to {permit.valid_to}.",
            f"Today is {day}, and data may be read only while the permit holds.",
            f"Ask {permit.authority} for an extension, or choose a study with a valid permit.",
        )
    try:
        permit.period_on(day)
    except ValueError:
        raise PermissionRefused(
            f"Permit '{permit.permit_id}' leaves no day to read.",
            f"It grants {permit.history_years} years back from {day}, and its period ends before that.",
            f"Ask {permit.authority} what was meant.",
        ) from None
    if not permit.names(actor):
        raise PermissionRefused(
            f"'{actor}' is not among the users of permit '{permit.permit_id}'.",
            "Only persons named in the permit may read under it.",
            f"Ask {permit.responsible} to have the name added.",
        )


def refusal_for(permit: Permit, study: str, wanted: Mapping[str, Iterable[str]]) -> PermissionRefused | None:
    """The refusal of a request, naming every ungranted table and column at once; ``None`` when all is granted."""
    absent = permit.missing(wanted)
    if not absent:
        return None
    unknown = [each for each in absent if not known(each)]
    it, are = ("them", "are") if len(absent) > 1 else ("it", "is")
    made_up = f" ({', '.join(unknown)} does not exist either)" if unknown else ""
    return MissingGrants(
        tuple(absent),
        f"{', '.join(absent)} {are} not granted to study '{study}'{made_up}.",
        f"Permit '{permit.permit_id}' grants {granted_text(permit, wanted)}.",
        f"Leave {it} out, or ask {permit.authority} to add {it} to the permit.",
    )


def closed_refusal(study: str) -> PermissionRefused:
    """The refusal of a study that is not open."""
    return PermissionRefused(
        f"Study '{study}' is closed.",
        "Outside its block nothing is recorded, so nothing may be read.",
        "Ask for tables inside 'with open_data(...) as study:'.",
    )


def ungranted_column(
    permit: Permit, study: str, opened: Collection[str], error: BaseException | None
) -> PermissionRefused | None:
    """The refusal behind Spark's 'no such column', when the column exists and is merely not granted.

    ``opened`` names the tables the study had handed out; a name none of them has is a spelling mistake,
    which stays Spark's own error (``None``).
    """
    name = unresolved_column(error)
    holders = [table for table in sorted(opened) if name in GOLD[table].column_names]
    if name is None or not holders:
        return None
    why = f"Permit '{permit.permit_id}' decides which columns are there."
    absent = [f"{table}.{name}" for table in holders if name not in permit.uses(table)]
    if absent:
        return MissingGrants(
            tuple(absent),
            f"{', '.join(absent)} exists, but is not granted to study '{study}'.",
            why,
            f"Leave it out, or ask {permit.authority} to add it to the permit.",
        )
    narrow = [table for table in holders if permit.uses(table)[name] is not ColumnUse.DIRECT]
    if not narrow:
        return None
    use = permit.uses(narrow[0])[name].replace("_", " ")
    return PermissionRefused(
        f"{narrow[0]}.{name} is granted {use}, so it is not on the table unless it is named.",
        why,
        f'Use study.table("{narrow[0]}", columns=[..., "{name}"]) and use it {use}.',
    )


def unresolved_column(error: BaseException | None) -> str | None:
    """Last part of the name Spark could not resolve, if that is what the error says."""
    condition = getattr(error, "getCondition", lambda: None)()
    if error is None or not str(condition or "").startswith(("UNRESOLVED_COLUMN", "MISSING_ATTRIBUTES")):
        return None
    parameters: dict[str, Any] = error.getMessageParameters() or {}  # type: ignore[attr-defined]
    parts = re.findall(r"`([^`]+)`", str(parameters.get("objectName", "")))
    return parts[-1] if parts else None


def known(name: str) -> bool:
    """Whether ``layer.table`` or ``layer.table.column`` exists in the model of the lake."""
    table = ".".join(name.split(".")[:2])
    column = ".".join(name.split(".")[2:])
    return table in GOLD and (not column or column in (*GOLD[table].column_names, "*"))


def granted_text(permit: Permit, wanted: Iterable[str]) -> str:
    """What the permit does grant of the tables asked for, in words."""
    parts = []
    for table in wanted:
        uses = permit.uses(table)
        parts.append(f"{table} ({', '.join(uses)})" if uses else f"nothing of {table}")
    return "; ".join(parts)
