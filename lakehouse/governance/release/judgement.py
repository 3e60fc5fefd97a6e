"""What the output gate says of a request: its limits, whom its run read, and what was released before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from lakehouse.governance.access.person_sets import PersonSets
from lakehouse.governance.approvals.signed_request import TextForm
from lakehouse.governance.ledger import ledger
from lakehouse.governance.output_gate.folder import open_folder
from lakehouse.governance.output_gate.gate import judge
from lakehouse.governance.output_gate.limits_and_verdict import GateRecord, Limits
from lakehouse.governance.output_gate.memory import EVERYBODY, Memory, Persons
from lakehouse.governance.permits.files import load_permit, load_study
from lakehouse.governance.permits.model import Permit
from lakehouse.governance.release.records import Request, folder_of
from lakehouse.settings import Settings


def gate_of(settings: Settings, asked: Request) -> GateRecord:
    """The gate's verdict on a request's files, beside everything released before.

    Raises :class:`ConfigurationError` where permit, study or the set of persons of a reading is missing or wrong,
    :class:`DataError` where the files cannot be read.
    """
    permit = load_permit(settings, asked.permit)
    known = {asked.scope, asked.permit_hash, asked.run, asked.id, *_fingerprints(settings, asked)}
    opened = open_folder(folder_of(settings, asked.id) / "files", known)
    memory = Memory.of(settings)
    return judge(
        opened.outputs, limits_of(settings, permit), memory=memory, study=asked.study, counts=opened.counts,
        exports_lately=lately(settings, asked.study), whom=whom_of(settings, asked),
        population=persons_of(settings, memory, asked), sized=False,
    )  # fmt: skip


def persons_of(settings: Settings, memory: Memory, asked: Request) -> Persons | None:
    """Whom the run read, as the memory keeps persons: what decides whether two releases count nested populations.

    None for a run whose receipt names no reading, where the words of :func:`whom_of` must do. Raises
    :class:`ConfigurationError` when the set of a reading is gone: without it a difference would go unseen.
    """
    readings = [
        entry["body"].get("reading", "") for entry in ledger.entries(settings)
        if entry["kind"] == "receipt" and entry["body"].get("scope") == asked.scope and entry["body"].get("reads")
    ]  # fmt: skip
    if not readings or not readings[-1]:
        return None
    return memory.commit_numbers(np.asarray(PersonSets(settings).load(readings[-1]).to_array()))


def whom_of(settings: Settings, asked: Request) -> str:
    """The words that define whom a study counts: population, cohort and period of permit and study.

    Raises :class:`ConfigurationError` where permit or study is missing or wrong.
    """
    permit, study = load_permit(settings, asked.permit), load_study(settings, asked.study)
    if permit.population == study.cohort == "all" and permit.period.open:
        return EVERYBODY
    words = {"population": permit.population, "cohort": study.cohort, "period": str(permit.period)}
    return TextForm().text(words).decode()


def limits_of(settings: Settings, permit: Permit) -> Limits:
    """The coded limits, tightened by the profile and the permit."""
    limits = Limits().tightened(persons=max(settings.small_cell, permit.min_cell))
    outputs = getattr(permit, "outputs", None)
    if outputs is None:
        return limits
    return limits.tightened(
        dominance_share=min(outputs.dominance_share, limits.dominance_share),
        freedom=max(outputs.min_dof, limits.freedom),
    )


def lately(settings: Settings, study: str, days: int = 30) -> int:
    """How many releases of a study left in the last ``days``; :class:`ScopeBreach` where the ledger is not readable."""
    since = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    return sum(
        entry["kind"] == "release" and entry["body"].get("study") == study and str(entry["time"]) >= since
        for entry in ledger.entries(settings)
    )


def _fingerprints(settings: Settings, asked: Request) -> Iterator[str]:
    """Digests that a run's own files rightly hold."""
    path = folder_of(settings, asked.id) / "scope.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    yield str(content.get("digest", ""))
    yield str(content.get("permit", {}).get("hash", ""))
    if list_ := content.get("opt_outs"):
        yield str(list_)
