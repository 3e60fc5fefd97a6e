"""A permit against what was done under it: granted and never used, refused and wanted, and how minimal it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lakehouse.errors import PermissionRefused
from lakehouse.governance.permits.model import Permit
from lakehouse.governance.permits.parts import ColumnUse
from lakehouse.governance.permits.refusals import known, refuse_unless_open

NARROWER = {
    frozenset({"filter"}): ColumnUse.FILTER_ONLY,
    frozenset({"join"}): ColumnUse.JOIN_ONLY,
}


def missing_for(
    permit: Permit, reads: Mapping[str, Iterable[str]], operations: Iterable[str], actor: str, today: date
) -> list[str]:
    """Everything that keeps a job from running under a permit, all at once; needs no lake."""
    told = [f"{grant} is not granted" for grant in permit.missing(reads) if known(grant)]
    told += [f"{grant} does not exist" for grant in permit.missing(reads) if not known(grant)]
    told += [f"the operation '{each}' is not granted" for each in operations if each not in permit.operations]
    try:
        refuse_unless_open(permit, actor, today)
    except PermissionRefused as refusal:
        told.append(refusal.what.rstrip("."))
    return told


@dataclass
class Difference:
    """How a permit and its use differ; ``wanted`` gives how often each missing grant was refused."""

    runs: int = 0
    used: dict[str, set[str]] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    narrower: dict[str, ColumnUse] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Share of granted columns that were used as far as they were granted."""
        granted = len(self.used) + len(self.unused)
        return 0.0 if not granted else (len(self.used) - len(self.narrower)) / granted


def difference(permit: Permit, scopes: Iterable[Mapping[str, Any]]) -> Difference:
    """Hold the scope records of all runs under a permit against its grants."""
    found = Difference()
    for scope in scopes:
        found.runs += 1
        for read in scope["reads"]:
            for role in ("direct", "filter", "join"):
                for column in read[f"columns_{role}"]:
                    found.used.setdefault(f"{read['table']}.{column}", set()).add(role)
        for denial in scope["denials"]:
            for grant in filter(None, denial.get("missing", "").split(", ")):
                found.wanted[grant] = found.wanted.get(grant, 0) + 1
    granted = {
        f"{table}.{column}": use for table in permit.tables for column, use in permit.uses(table).items()
    }
    found.used = {name: roles for name, roles in found.used.items() if name in granted}
    found.unused = sorted(set(granted) - set(found.used))
    for name, roles in sorted(found.used.items()):
        enough = NARROWER.get(frozenset(roles))
        if granted[name] is ColumnUse.DIRECT and enough is not None:
            found.narrower[name] = enough
    return found


def describe(permit: Permit, found: Difference) -> str:
    """The difference as lines for people."""
    lines = [
        f"permit {permit.permit_id} version {permit.version}: {found.runs} runs, minimisation {found.score:.0%}"
    ]
    lines += [f"shrink  {name}: granted, never used" for name in found.unused]
    lines += [
        f"narrow  {name}: direct, used {use.value.replace('_', ' ')}" for name, use in found.narrower.items()
    ]
    lines += [f"wanted  {name}: refused {times} times" for name, times in sorted(found.wanted.items())]
    return "\n".join(lines)


def draft(permit: Permit, found: Difference, today: date) -> str:
    """A supplementary application (Danish, to be completed by people): the change, against the granted case."""
    asked = [f"| `{name}` | {times} | … |" for name, times in sorted(found.wanted.items())]
    given = [
        f"- `{name}`"
        for name in [*found.unused, *(f"{name} ({use})" for name, use in found.narrower.items())]
    ]
    return "\n".join(
        [
            f"# Udkast til tillægsansøgning, sag {permit.case_number or '(sagsnummer mangler)'}",
            "",
            f"- Tilladelse: {permit.permit_id}, version {permit.version}, hash `{permit.hash}`",
            f"- Myndighed: {permit.authority}",
            f"- Projekt: {permit.title}",
            f"- Formål (uændret): {permit.purpose}",
            f"- Dato: {today}",
            "",
            "## Ønskes tilføjet",
            "Oplysninger, som forskerne har bedt om og ikke har haft adgang til:",
            "",
            "| oplysning | afvist (gange) | begrundelse (udfyldes) |",
            "|---|---|---|",
            *(asked or ["| (ingen) | | |"]),
            "",
            "## Kan undværes",
            f"Oplysninger, som tilladelsen giver, men som {found.runs} kørsler ikke har brugt (i det omfang):",
            "",
            *(given or ["(ingen)"]),
            "",
        ]
    )
