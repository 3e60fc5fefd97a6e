"""The answer to "was I in it?": every reading of one person's data, out of the ledger and the runs' sets of persons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lakehouse.errors import ConfigurationError
from lakehouse.governance.access.person_sets import PersonSets
from lakehouse.governance.ledger.ledger import entries
from lakehouse.governance.permits.files import load_permit, load_study
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Reading:
    """One run that read a person's data."""

    time: str
    study: str
    purpose: str
    run: str
    verdict: str
    actor: str

    def told(self, with_actor: bool = False) -> tuple[str, ...]:
        """When, which study, why, which run, what became of it; who only when asked for."""
        line = (self.time, self.study, self.purpose, self.run, self.verdict)
        return (*line, self.actor) if with_actor else line


def runs_of(settings: Settings, token: str) -> list[Reading]:
    """All runs that read the data of the person behind a lake token, oldest first.

    Several runs over one extract share a reading. Exact: a run is named if and only if its set holds the person. A set
    that is missing is an error, because leaving it out would be a wrong answer.
    """
    receipts: dict[str, list[dict[str, Any]]] = {}
    for entry in entries(settings):
        if entry["kind"] == "receipt" and entry["body"].get("reading") and entry["body"].get("reads"):
            receipts.setdefault(entry["body"]["reading"], []).append(entry)
    found = PersonSets(settings).runs_with(token, receipts)
    purposes: dict[str, str] = {}
    told = []
    for entry in (entry for reading in found for entry in receipts[reading]):
        body = entry["body"]
        study = str(body.get("study", ""))
        purposes.setdefault(study, purpose_of(settings, study))
        facts = (study, purposes[study], str(body.get("run", "")), str(body.get("verdict", "")))
        told.append(Reading(str(entry["time"]), *facts, str(body.get("actor", ""))))
    return sorted(told, key=lambda each: each.time)


def purpose_of(settings: Settings, study: str) -> str:
    """Why a study reads: its permit's purpose, and a note where the permit is no longer there."""
    try:
        return load_permit(settings, load_study(settings, study).permit).purpose
    except ConfigurationError:
        return "(the permit is no longer there; see the run's receipt)"


def untold(settings: Settings) -> list[str]:
    """Runs whose reads are not accounted for: whether they read a person's data cannot be told from any record."""
    return [
        str(entry["body"].get("run", ""))
        for entry in entries(settings)
        if entry["kind"] == "receipt" and entry["body"].get("state") in ("unaccounted", "breach")
    ]
