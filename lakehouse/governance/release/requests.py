"""The release desk: what may leave, who said so, and what became of it. Nothing leaves by one person.

A request copies a run's checked outputs aside, so that what is reviewed cannot change under the reviewer's eyes;
the gate judges the copies. A second person (another name, account and key than the requester's and not the run's
author) signs them as they are. The export hashes every file again. Each step stands in the ledger before it takes
effect, by digests alone; so does each refusal.
"""

from __future__ import annotations

import json
import secrets
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse.errors import DataError, DisclosureRefused, PermissionRefused, ScopeBreach, UsageError
from lakehouse.governance.approvals.signatories import Signatory, locked, sign, signatories
from lakehouse.governance.approvals.signed_request import SignedText, digest, now
from lakehouse.governance.ledger import ledger
from lakehouse.governance.output_gate.limits_and_verdict import Limits
from lakehouse.governance.permits.files import lake_kind, load_permit, load_study
from lakehouse.governance.permits.model import Operation, Permit
from lakehouse.governance.release.files import copied, digests_of
from lakehouse.governance.release.judgement import gate_of
from lakehouse.governance.release.records import (
    PROCEDURE,
    WITHDRAWN,
    Actor,
    Request,
    desk,
    folder_of,
    load,
    state,
)
from lakehouse.governance.scope.scope import Scope
from lakehouse.governance.suppression.totals import clean_scope
from lakehouse.private_files import write_private
from lakehouse.settings import Settings

CHECKED = "checked"
"""Folder of a run in which its checked outputs lie."""


def request(settings: Settings, run: Path, actor: Actor, *, purpose: str, recipient: str) -> Request:
    """Ask for a run's checked outputs; refused when the run is not accounted for or the gate finds anything.

    ``run`` is the run's folder in the study. Raises :class:`ScopeBreach`, :class:`PermissionRefused`,
    :class:`DataError` where nothing was checked, or :class:`DisclosureRefused`; a request that the gate refuses
    stays on record with its reasons.
    """
    release = f"r{date.today():%Y%m%d}-{secrets.token_hex(4)}"
    facts = {"release": release, "run": run.name}
    with PROCEDURE.refusals_recorded(settings, "release-request", {**facts, "by": actor.name}):
        signatory = PROCEDURE.actor(settings, "release-request", actor.name, actor.account)
        scope, permit = _accounted(settings, run)
        source = run / CHECKED
        if not source.is_dir() or not any(source.iterdir()):
            raise DataError(
                f"Run {run.name} left nothing that was checked.",
                "Only what went through the small-cell check can be asked for.",
                "Run the job again, or put its outputs and their outputs.json into the run's folder 'checked'.",
            )
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
    write_private(place / "request.sig", sign(actor.key, signatory, asked.text).encode())
    record = gate_of(settings, asked)
    write_private(place / "gate.json", PROCEDURE.form.text(record.as_dict(evidence=True)))
    facts |= {"study": scope.study, "request": digest(asked.text)}
    if not record.passed:
        rules = sorted(rule.value for rule in record.rules)
        PROCEDURE.enter(settings, "release-refusal", {**facts, "rules": rules})
        record.require()
    PROCEDURE.enter(settings, "release-request", {**facts, "scope": scope.digest, "files": len(files)})
    return asked


def review(settings: Settings, release: str, actor: Actor, *, approve: bool, reason: str) -> None:
    """The second person's word on exactly the files that lie there; a rejection needs a reason.

    Raises :class:`PermissionRefused` for the wrong person or moment, :class:`UsageError` for a rejection without
    a reason, :class:`DisclosureRefused` where a file changed or the gate finds something now.
    """
    place = folder_of(settings, release)
    event = "release-approval" if approve else "release-rejection"
    with (
        locked(place / "request.json"),
        PROCEDURE.refusals_recorded(settings, event, {"release": place.name, "by": actor.name}),
    ):
        asked = load(settings, release)
        PROCEDURE.require(settings, asked.id, event)
        signatory = _another(settings, asked, event, actor)
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
        text = PROCEDURE.form.text(word)
        signature = sign(actor.key, signatory, text)
        facts = {"release": asked.id, "run": asked.run, "review": digest(text), "by": actor.name}
        PROCEDURE.enter(settings, event, facts)
        write_private(place / "review.json", text)
        write_private(place / "review.sig", signature.encode())


def _another(settings: Settings, asked: Request, event: str, actor: Actor) -> Signatory:
    """The reviewer's entry of the register, once it is sure that they neither asked nor made what is in it."""
    signatory = PROCEDURE.actor(settings, event, actor.name, actor.account)
    if {actor.name, actor.account} & {asked.requester, asked.account, asked.author}:
        raise PermissionRefused(
            f"'{actor.name}' asked for {asked.id} or made what is in it.",
            PROCEDURE.rule,
            "Ask another approver.",
        )
    gone = Signatory(asked.requester, asked.account, "", ())
    PROCEDURE.require_another(asked.id, signatory, [signatories(settings).get(asked.requester, gone)])
    return signatory


def approved(settings: Settings, asked: Request) -> dict[str, Any]:
    """The review of a release, after everything it rests on was checked anew.

    Raises :class:`PermissionRefused` where signatures, persons or ledger do not bear it out,
    :class:`DisclosureRefused` where a file changed.
    """
    place = folder_of(settings, asked.id)
    parts = ("request.sig", "review.json", "review.sig")
    if missing := [part for part in parts if not (place / part).is_file()]:
        raise _unsound(asked, f"{missing[0]} is missing")
    text = (place / "review.json").read_bytes()
    word: dict[str, Any] = json.loads(text)
    by_requester = SignedText(asked.requester, asked.text, (place / "request.sig").read_text())
    by_reviewer = SignedText(word["reviewer"], text, (place / "review.sig").read_text())
    if fault := PROCEDURE.signature_fault(settings, by_requester, [by_reviewer]):
        raise _unsound(asked, fault)
    if (
        not word["approve"]
        or word["request"] != digest(asked.text)
        or dict(word["files"]) != dict(asked.files)
    ):
        raise _unsound(asked, "it is of another request or other files, or a rejection")
    entered = [body for kind, body in PROCEDURE.history(settings, asked.id) if kind == "release-approval"]
    if not entered or entered[-1]["review"] != digest(text):
        raise _unsound(asked, "it does not stand in the ledger")
    unchanged(settings, asked)
    return word


def _unsound(asked: Request, why: str) -> PermissionRefused:
    return PermissionRefused(
        f"The review of {asked.id} does not hold: {why}.",
        "Request and review must be signed by two signatories of the register and stand in the ledger.",
        "Make a new request.",
    )


def unchanged(settings: Settings, asked: Request) -> None:
    """Raise :class:`DisclosureRefused` when a file is not the one that was asked for, is missing, or was added."""
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


def withdraw(settings: Settings, release: str, actor: Actor, reason: str) -> None:
    """Take a release back: it is exported no more, and who checks its folder here is told.

    Raises :class:`PermissionRefused` for the wrong person, :class:`UsageError` where it was withdrawn before or no
    reason is given.
    """
    place = folder_of(settings, release)
    event = "release-withdrawal"
    with (
        locked(place / "request.json"),
        PROCEDURE.refusals_recorded(settings, event, {"release": place.name, "by": actor.name}),
    ):
        asked = load(settings, release)
        PROCEDURE.actor(settings, event, actor.name, actor.account)
        if state(settings, asked.id) == WITHDRAWN:
            raise UsageError(f"{asked.id} was withdrawn before.", "", "")
        PROCEDURE.require(settings, asked.id, event)
        if not reason.strip():
            raise UsageError(
                "A withdrawal needs a reason.", "Whoever holds the release must know it.", "Add --because."
            )
        facts = {"release": asked.id, "run": asked.run, "by": actor.name, "reason": digest(reason.encode())}
        PROCEDURE.enter(settings, event, facts)
        write_private(place / "withdrawn.txt", reason.encode())


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
