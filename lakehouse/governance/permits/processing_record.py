"""What an authority asks for, out of permits and ledger alone: the Art. 30 record, and the DPIA annex with live checks."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse.data_model import GOLD
from lakehouse.errors import PatternlakeError
from lakehouse.governance.ledger import ledger
from lakehouse.governance.permits.files import EXTRACT_MANIFEST, lake_kind, load_permit
from lakehouse.governance.permits.lint import EEA, lint
from lakehouse.governance.permits.model import NOT_REAL, Permit
from lakehouse.governance.permits.signatures import valid_signatures
from lakehouse.settings import Settings

ART_30 = (
    "controller", "data protection officer", "purposes", "categories of data subjects", "categories of personal data",
    "recipients", "third countries and safeguards", "time limits for erasure", "security measures",
)  # fmt: skip
"""The fields of GDPR Art. 30(1)."""

SECURITY = (
    "pseudonyms of the study under keys outside the lake; every read held against the permit; signed, anchored ledger; "
    "small cells hidden; see the DPIA annex for what holds at this moment"
)


def permits_of(settings: Settings) -> list[Permit]:
    """Permits of the home, by id."""
    folder = settings.home / "conf" / "permits"
    return [load_permit(settings, path.stem) for path in sorted(folder.glob("*.toml"))]


def record(settings: Settings, permit: Permit) -> dict[str, Any]:
    """The record of processing of one permit: every field of Art. 30(1), and what the ledger knows of its use."""
    tables = {
        name: {
            use.value: [c for c, held in grant.uses.items() if held is use]
            for use in set(grant.uses.values())
        }
        for name, grant in permit.tables.items()
    }
    identifying = sorted(
        f"{name}.{column.name}"
        for name, grant in permit.tables.items()
        for column in GOLD[name].columns
        if column.identifying and column.name in grant.uses
    )
    outside = sorted(set(permit.countries) - EEA)
    missing = "NOT GIVEN in the permit"
    decision = f"§ {permit.legal_basis}; {permit.authority}, case {permit.case_number or '?'}"
    expected = f"{permit.expected_persons.min} to {permit.expected_persons.max or '?'}"
    period = permit.period.model_dump(mode="json", by_alias=True)
    answers = (
        permit.controller or missing,
        permit.dpo or missing,
        f"{permit.purpose} ({permit.purpose_code}; {decision})",
        f"persons of the register: {permit.population}; expected {expected}",
        {"tables": tables, "telling persons apart": identifying, "period": period},
        list(permit.recipients) or missing,
        {"countries": outside, "safeguards": "permission of the supervisory authority"}
        if outside
        else "none",
        str(permit.delete_by or missing),
        SECURITY,
    )
    fields = dict(zip(ART_30, answers, strict=True))
    return {"permit": permit.permit_id, "hash": permit.hash, **fields, "use": used(settings, permit)}


def used(settings: Settings, permit: Permit) -> dict[str, Any]:
    """Runs under a permit as the ledger has them: how many, from when to when, with what outcome."""
    receipts = [
        entry
        for entry in ledger.entries(settings)
        if entry["kind"] == "receipt" and entry["body"].get("permit") == permit.hash
    ]
    verdicts: dict[str, int] = {}
    for entry in receipts:
        verdict = str(entry["body"].get("verdict", "unknown"))
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
    times = [str(entry["time"]) for entry in receipts]
    return {
        "runs": len(receipts),
        "first": min(times, default=""),
        "last": max(times, default=""),
        "outcomes": verdicts,
    }


@dataclass(frozen=True)
class Control:
    """A measure against a risk, and what looking at it just now showed."""

    id: str
    risk: str
    measure: str
    held: bool
    seen: str


Check = Callable[[Settings, Permit, date], tuple[bool, str]]
CONTROLS: list[tuple[str, str, str, Check]] = []


def control(number: str, risk: str, measure: str) -> Callable[[Check], Check]:
    """Enter a live check under its number."""

    def enter(check: Check) -> Check:
        CONTROLS.append((number, risk, measure, check))
        return check

    return enter


def controls(settings: Settings, permit: Permit, today: date) -> Iterator[Control]:
    """Every control as it stands at this moment; a check that fails to run is a control that does not hold."""
    for number, risk, measure, check in CONTROLS:
        try:
            held, seen = check(settings, permit, today)
        except (PatternlakeError, OSError, ValueError) as error:
            held, seen = False, str(error)
        yield Control(number, risk, measure, held, seen)


@control(
    "K1", "the record is changed afterwards", "hash chain, signed Merkle roots, anchors outside the lake"
)
def _ledger(settings: Settings, permit: Permit, today: date) -> tuple[bool, str]:
    return True, ledger.verify(settings).splitlines()[0]


@control("K2", "the record has one keeper", "at least two anchors outside the lake")
def _anchors(settings: Settings, permit: Permit, today: date) -> tuple[bool, str]:
    there = [place for place in ledger.anchor_places(settings) if (place / "head.json").is_file()]
    outside = all(not place.is_relative_to(settings.lake) for place in there)
    return len(there) >= 2 and outside, f"{len(there)} anchors"


@control(
    "K3",
    "data are read without an authority's decision",
    "signed permit, refused otherwise on a lake of real persons",
)
def _signed(settings: Settings, permit: Permit, today: date) -> tuple[bool, str]:
    if permit.legal_basis == NOT_REAL:
        return lake_kind(settings) != "real", "no real persons"
    names = [
        each.name
        for each in valid_signatures(settings, permit, settings.definition("permits", permit.permit_id))
    ]
    return bool(names), f"signed by {', '.join(names) or 'nobody'}"


@control("K4", "the permit lacks what the law asks for", "linter")
def _linted(settings: Settings, permit: Permit, today: date) -> tuple[bool, str]:
    faults = [str(fault) for fault in lint(permit, today) if fault.error]
    return not faults, f"{len(faults)} errors" + (f", first: {faults[0]}" if faults else "")


@control(
    "K5",
    "data are read after the permit ended",
    "validity at the time of action; extracts of ended permits deleted",
)
def _ended(settings: Settings, permit: Permit, today: date) -> tuple[bool, str]:
    cut = [
        path.parent.name
        for path in (settings.home / "sealed").glob(f"*/{EXTRACT_MANIFEST}")
        if _until(path) < today
    ]
    return not cut, f"valid to {permit.valid_to}; ended extracts: {', '.join(cut) or 'none'}"


@control("K6", "keys are read by others", "keys outside the lake, their owner's alone")
def _keys(settings: Settings, permit: Permit, today: date) -> tuple[bool, str]:
    loose = [
        path.name
        for path in settings.keys.rglob("*.key")
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    return not loose, f"readable by others: {', '.join(loose) or 'none'}"


@control(
    "K7", "something is read that no record shows", "runs whose reads are not accounted for are withheld"
)
def _accounted(settings: Settings, permit: Permit, today: date) -> tuple[bool, str]:
    bodies = [
        e["body"]
        for e in ledger.entries(settings)
        if e["kind"] == "receipt" and e["body"].get("permit") == permit.hash
    ]
    loose = [body for body in bodies if body.get("state") in ("breach", "unaccounted")]
    let_out = [body["run"] for body in loose if body.get("verdict") in ("checked", "released")]
    return not let_out, f"{len(loose)} runs not accounted for, {len(let_out)} of them let out"


@control("K8", "a run ends without a record", "intent before the first read, receipt after the last")
def _answered(settings: Settings, permit: Permit, today: date) -> tuple[bool, str]:
    waiting = [line for line in ledger.verify(settings).splitlines() if line.startswith("Intent without")]
    return not waiting, f"{len(waiting)} intents without a receipt"


@control(
    "K9", "somebody who opted out is read", "list applied when a table is opened and before every action"
)
def _opted_out(settings: Settings, permit: Permit, today: date) -> tuple[bool, str]:
    if permit.opt_outs is None:
        return permit.legal_basis == NOT_REAL, "the permit names no list"
    given = Path(permit.opt_outs)
    path = given if given.is_absolute() else settings.home / "conf" / "permits" / given
    return path.is_file(), f"{path.name}: {'there' if path.is_file() else 'missing'}"


def _until(path: Path) -> date:
    return date.fromisoformat(json.loads(path.read_text("utf-8"))["valid_to"])


def annex(settings: Settings, permit: Permit, today: date) -> str:
    """The annex to an impact assessment, Markdown: each control with what was seen at this moment."""
    found = list(controls(settings, permit, today))
    about = permit.dpia
    lines = [
        f"# Annex to DPIA {about.id if about else '(none named)'}: permit {permit.permit_id}, {today}",
        "",
        f"{sum(each.held for each in found)} of {len(found)} controls hold. Figures are live; this is no legal opinion.",
        "",
        "| control | risk | measure | holds | seen |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {c.id} | {c.risk} | {c.measure} | {'yes' if c.held else '**no**'} | {c.seen} |" for c in found
    ]
    return "\n".join(lines) + "\n"
