"""The release desk: what may leave, who said so, and what became of it. Nothing leaves by one person.

A request copies a run's checked outputs aside, so that what is reviewed cannot change under the reviewer's eyes;
the gate judges the copies. A second person (another name, account and key than the requester's and not the run's
author) signs them as they are. The export hashes every file again. Each step stands in the ledger before it takes
effect, by digests alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from lakehouse.errors import DataError, DisclosureRefused, PermissionRefused, ScopeBreach, UsageError
from lakehouse.governance.access.person_sets import PersonSets
from lakehouse.governance.approvals import signatories
from lakehouse.governance.ledger import ledger
from lakehouse.governance.output_gate.folder import open_folder
from lakehouse.governance.output_gate.gate import judge
from lakehouse.governance.output_gate.memory import EVERYBODY, Memory, Persons
from lakehouse.governance.output_gate.model import GateRecord, Limits
from lakehouse.governance.permits.files import lake_kind, load_permit, load_study
from lakehouse.governance.permits.model import Operation, Permit
from lakehouse.governance.release.files import copied, digests_of, sha256_file
from lakehouse.governance.scope.scope import Scope
from lakehouse.governance.suppression.totals import clean_scope
from lakehouse.private_files import write_private
from lakehouse.settings import Settings

REQUESTED, REFUSED, APPROVED, REJECTED, RELEASED, WITHDRAWN = (
    "requested", "refused by the gate", "approved", "rejected", "released", "withdrawn",
)  # fmt: skip
CHECKED = "checked"
"""Folder of a run in which its checked outputs lie."""


@dataclass(frozen=True)
class Request:
    """What one person asks to take out; ``files`` maps each to its SHA-256."""

    id: str
    run: str
    study: str
    permit: str
    permit_hash: str
    scope: str
    author: str
    requester: str
    account: str
    lake: str
    purpose: str
    recipient: str
    asked: str
    files: Mapping[str, str]

    @property
    def text(self) -> bytes:
        """The one form that is signed."""
        return canonical(asdict(self))


@dataclass(frozen=True)
class Actor:
    """Who acts: a named signatory, the account they act from, their key file."""

    name: str
    key: Path
    account: str


def canonical(content: Mapping[str, Any]) -> bytes:
    """One JSON text for one content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def acting(settings: Settings, name: str, key: Path, claimed: str | None = None) -> Actor:
    """The one who acts; on a lake of no real persons a rehearsal may claim another account."""
    account = pwd.getpwuid(os.getuid()).pw_name
    if claimed and claimed != account:
        if lake_kind(settings) == "real":
            raise PermissionRefused(
                f"This runs as '{account}', not as '{claimed}'.",
                "On a lake of real persons each of the two persons acts from an account of their own.",
                f"Run this as '{claimed}'.",
            )
        account = claimed
    return Actor(name, key, account)


def desk(settings: Settings) -> Path:
    """Folder of all releases."""
    return settings.home / "releases"


def folder_of(settings: Settings, release: str) -> Path:
    """Folder of one release; a beginning of its id is enough."""
    found = [path for path in desk(settings).glob(f"{release}*") if (path / "request.json").is_file()]
    if len(found) != 1:
        raise DataError(
            f"{release} fits {len(found)} releases.", "", "See 'patternlake release list' for their ids."
        )
    return found[0]


def request(settings: Settings, run: Path, actor: Actor, *, purpose: str, recipient: str) -> Request:
    """Ask for a run's checked outputs; refused when the run is not accounted for or the gate finds anything.

    ``run`` is the run's folder in the study. Raises :class:`ScopeBreach`, :class:`PermissionRefused` or
    :class:`DisclosureRefused`; a request that the gate refuses stays on record with its reasons.
    """
    signatory = signatories.signatory_for(settings, actor.name, "requester", actor.account)
    scope, permit = _accounted(settings, run)
    source = run / CHECKED
    if not source.is_dir() or not any(source.iterdir()):
        raise DataError(
            f"Run {run.name} left nothing that was checked.",
            "Only what went through the small-cell check can be asked for.",
            "Run the job again, or put its outputs and their outputs.json into the run's folder 'checked'.",
        )
    release = f"r{date.today():%Y%m%d}-{secrets.token_hex(4)}"
    place = desk(settings) / release
    files = copied(source, place / "files", Limits().significant_digits)
    asked = Request(
        release, run.name, scope.study, permit.permit_id, permit.hash, scope.digest, scope.actor, actor.name,
        actor.account, lake_kind(settings), purpose, recipient, now(), files,
    )  # fmt: skip
    write_private(
        place / "scope.json", json.dumps(_shown(scope, permit), indent=2, ensure_ascii=False).encode()
    )
    write_private(place / "request.json", asked.text)
    write_private(place / "request.sig", signatories.sign(actor.key, signatory, asked.text).encode())
    record = gate_of(settings, asked)
    write_private(place / "gate.json", canonical(record.as_dict(evidence=True)))
    facts = {"release": release, "run": run.name, "study": scope.study, "request": digest(asked.text)}
    if not record.passed:
        ledger.append(
            settings, "release-refusal", {**facts, "rules": sorted(rule.value for rule in record.rules)}
        )
        record.require()
    ledger.append(settings, "release-request", {**facts, "scope": scope.digest, "files": len(files)})
    return asked


def review(settings: Settings, release: str, actor: Actor, *, approve: bool, reason: str) -> None:
    """The second person's word on exactly the files that lie there; a rejection needs a reason."""
    asked = load(settings, release)
    state_is(settings, asked.id, REQUESTED)
    signatory = signatories.signatory_for(settings, actor.name, "approver", actor.account)
    author = {asked.requester, asked.account, asked.author}
    requester = signatories.signatories(settings).get(asked.requester)
    if {actor.name, actor.account} & author or (requester and requester.key == signatory.key):
        raise PermissionRefused(
            f"'{actor.name}' asked for {asked.id} or made what is in it.",
            "What leaves is looked at by a second person, with an account and a key of their own.",
            "Ask another approver.",
        )
    if not approve and not reason.strip():
        raise UsageError(
            "A rejection needs a reason.", "The requester must know what to change.", "Add --because."
        )
    if approve:
        unchanged(settings, asked)
        gate_of(settings, asked).require()
    word = {
        "release": asked.id, "request": digest(asked.text), "files": dict(asked.files), "approve": approve,
        "reason": reason, "reviewer": actor.name, "account": actor.account, "at": now(),
    }  # fmt: skip
    place = folder_of(settings, asked.id)
    text = canonical(word)
    facts = {"release": asked.id, "run": asked.run, "review": digest(text), "by": actor.name}
    signature = signatories.sign(actor.key, signatory, text)
    ledger.append(settings, "release-approval" if approve else "release-rejection", facts)
    write_private(place / "review.json", text)
    write_private(place / "review.sig", signature.encode())


def approved(settings: Settings, asked: Request) -> dict[str, Any]:
    """The review of a release, after everything it rests on was checked anew."""
    place = folder_of(settings, asked.id)
    text = (place / "review.json").read_bytes()
    word: dict[str, Any] = json.loads(text)
    known = signatories.signatories(settings)
    signed = (
        (asked.requester, asked.text, (place / "request.sig").read_text()),
        (word["reviewer"], text, (place / "review.sig").read_text()),
    )
    sound = all(name in known and signatories.verified(known[name], what, sig) for name, what, sig in signed)
    entered = [body for kind, body in steps(settings, asked.id) if kind == "release-approval"]
    if not sound or not word["approve"] or word["request"] != digest(asked.text) or dict(word["files"]) != dict(
        asked.files
    ) or not entered or entered[-1]["review"] != digest(text):  # fmt: skip
        raise PermissionRefused(
            f"The review of {asked.id} does not hold.",
            "Request and review must be signed by two signatories of the register and stand in the ledger.",
            "Ask for a new review.",
        )
    unchanged(settings, asked)
    return word


def unchanged(settings: Settings, asked: Request) -> None:
    """Refuse when a file is not the one that was asked for, is missing, or was added."""
    now_there = digests_of(folder_of(settings, asked.id) / "files")
    differ = sorted(
        name for name in {*now_there, *asked.files} if now_there.get(name) != asked.files.get(name)
    )
    if differ:
        raise DisclosureRefused(
            f"{', '.join(differ[:5])} of {asked.id} changed after the request.",
            "A review holds for the files as they were; with any change it is void.",
            "Make a new request.",
        )


def gate_of(settings: Settings, asked: Request) -> GateRecord:
    """The gate's verdict on a request's files, beside everything released before."""
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
    """The words that define whom a study counts: population, cohort and period of permit and study."""
    permit, study = load_permit(settings, asked.permit), load_study(settings, asked.study)
    if permit.population == study.cohort == "all" and permit.period.open:
        return EVERYBODY
    return canonical(
        {"population": permit.population, "cohort": study.cohort, "period": str(permit.period)}
    ).decode()


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


def withdraw(settings: Settings, release: str, actor: Actor, reason: str) -> None:
    """Take a release back: it is exported no more, and who checks its folder here is told."""
    asked = load(settings, release)
    role = "approver" if "approver" in _roles(settings, actor.name) else "requester"
    signatories.signatory_for(settings, actor.name, role, actor.account)
    if state(settings, asked.id) == WITHDRAWN:
        raise UsageError(f"{asked.id} was withdrawn before.", "", "")
    if not reason.strip():
        raise UsageError(
            "A withdrawal needs a reason.", "Whoever holds the release must know it.", "Add --because."
        )
    ledger.append(settings, "release-withdrawal", {"release": asked.id, "run": asked.run, "by": actor.name,
                                                   "reason": digest(reason.encode())})  # fmt: skip
    write_private(folder_of(settings, asked.id) / "withdrawn.txt", reason.encode())


def load(settings: Settings, release: str) -> Request:
    """A request as it was signed."""
    return Request(**json.loads((folder_of(settings, release) / "request.json").read_bytes()))


def steps(settings: Settings, release: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the ledger says of a release, in order."""
    for entry in ledger.entries(settings):
        if entry["body"].get("release") == release and str(entry["kind"]).startswith("release"):
            yield str(entry["kind"]), entry["body"]


def state(settings: Settings, release: str) -> str:
    """Where a release stands, by the ledger."""
    words = {
        "release-request": REQUESTED, "release-refusal": REFUSED, "release-approval": APPROVED,
        "release-rejection": REJECTED, "release": RELEASED, "release-withdrawal": WITHDRAWN,
    }  # fmt: skip
    known = [words[kind] for kind, _ in steps(settings, release) if kind in words]
    return known[-1] if known else "not in the ledger"


def state_is(settings: Settings, release: str, *wanted: str) -> None:
    """Refuse a step that does not come next."""
    stands = state(settings, release)
    if stands not in wanted:
        raise PermissionRefused(
            f"{release} is {stands}.",
            f"This step needs it to be {' or '.join(wanted)}.",
            "See 'patternlake release list'.",
        )


def lately(settings: Settings, study: str, days: int = 30) -> int:
    """Releases of a study in the last days."""
    since = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    return sum(
        entry["kind"] == "release" and entry["body"].get("study") == study and str(entry["time"]) >= since
        for entry in ledger.entries(settings)
    )


def digest(content: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(content).hexdigest()


def now() -> str:
    """This second, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def discard(settings: Settings, release: str) -> None:
    """Remove the copies of a release that was refused, rejected or withdrawn; its record stays."""
    state_is(settings, release, REFUSED, REJECTED, WITHDRAWN)
    shutil.rmtree(folder_of(settings, release) / "files", ignore_errors=True)


def _accounted(settings: Settings, run: Path) -> tuple[Scope, Permit]:
    """A run's scope and permit, when the run may be released at all."""
    path = run / "scope.json"
    if not path.is_file():
        raise ScopeBreach(
            f"Run {run.name} has no scope record.", "What it read cannot be told.", "Run the job again."
        )
    try:
        scope = Scope.from_json(path.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise ScopeBreach(
            f"The scope record of run {run.name} does not hold: {error}.",
            "A changed record accounts for nothing.",
            "Keep it as it is and tell the data unit.",
        ) from error
    ledger.verify(settings)
    receipts = [
        entry["body"] for entry in ledger.entries(settings)
        if entry["kind"] == "receipt" and entry["body"].get("run") == run.name
    ]  # fmt: skip
    if not scope.releasable or not receipts or receipts[-1].get("scope") != scope.digest or (
        receipts[-1].get("state") != "accounted"
    ):  # fmt: skip
        raise ScopeBreach(
            f"Run {run.name} is not accounted for.",
            "What it read is unknown or outside its permit, or the ledger has another receipt of it.",
            "Correct the job and run it again.",
        )
    permit = load_permit(settings, load_study(settings, scope.study).permit)
    if Operation.EXPORT not in permit.operations or not permit.valid_on(date.today()):
        raise PermissionRefused(
            f"Permit '{permit.permit_id}' does not allow an export today.",
            "It must name the operation 'export' and be valid.",
            "Ask the data unit.",
        )
    return scope, permit


def _shown(scope: Scope, permit: Permit) -> dict[str, Any]:
    """The scope receipt that leaves with a release."""
    from lakehouse.governance.suppression.disclosure import Thresholds

    return clean_scope(json.loads(scope.to_json()), Thresholds().raised(permit.min_cell))


def _fingerprints(settings: Settings, asked: Request) -> Iterator[str]:
    """Digests that a run's own files rightly hold."""
    path = folder_of(settings, asked.id) / "scope.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    yield str(content.get("digest", ""))
    yield str(content.get("permit", {}).get("hash", ""))
    if list_ := content.get("opt_outs"):
        yield str(list_)


def _roles(settings: Settings, name: str) -> tuple[str, ...]:
    signatory = signatories.signatories(settings).get(name)
    return signatory.roles if signatory else ()


__all__ = [
    "Actor", "Request", "acting", "approved", "gate_of", "load", "request", "review", "sha256_file", "state", "withdraw",
]  # fmt: skip
