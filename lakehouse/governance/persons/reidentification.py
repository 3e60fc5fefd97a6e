"""Re-identification: asked by one person, approved by two others, delivered once, to a clinical recipient alone.

A request names a study's pseudonyms, the permit's clause, a reason, a recipient and an expiry, and is signed. Two
approvers sign the very same text. Only then the vault is asked, and the answer is sealed to the recipient's key.
Every attempt stands in the ledger before anything happens, refused ones with their reason.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import DataError, PermissionRefused
from lakehouse.governance.approvals.signatories import Signatory, locked, sign, signatories, signatory_for
from lakehouse.governance.approvals.signed_request import Clock, SignedText, utc_now
from lakehouse.governance.permits.files import load_permit, load_study
from lakehouse.governance.persons.reidentification_request import DELIVERED, PROCEDURE, Request
from lakehouse.identity.pseudonyms import token_batch
from lakehouse.identity.sealed_box import seal, unseal
from lakehouse.identity.study_pseudonyms import study_key_file
from lakehouse.identity.vault import open_vault
from lakehouse.private_files import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from lakehouse.settings import Settings


@dataclass(frozen=True)
class Desk:
    """The desk of one lake. ``account`` is who runs this (default: the operating system's word for it).

    Every step raises :class:`ConfigurationError` where the ledger cannot be written: nothing is done unrecorded.
    """

    settings: Settings
    account: str | None = None
    clock: Clock = utc_now

    def path(self, request_id: str) -> Path:
        """File of a request, in the vault."""
        return self.settings.vault / "requests" / f"{request_id}.json"

    def ask(
        self,
        requester: str,
        key: Path,
        study: str,
        persons: Sequence[str],
        *,
        clause: str,
        reason: str,
        recipient: str,
        expires: datetime,
    ) -> Request:
        """Put a request on the desk, or refuse it; either way it is in the ledger.

        ``persons`` are pseudonyms of the study. Raises :class:`PermissionRefused` where register, permit or expiry
        do not allow it, :class:`ConfigurationError` where study, permit or ledger cannot be read.
        """
        named = secrets.token_hex(4)
        facts = {"request": named, "study": study, "clause": clause, "reason": reason, "by": requester}
        with PROCEDURE.attempt(self.settings, "requested", {**facts, "persons": shown(len(set(persons)))}):
            definition = load_study(self.settings, study)
            signatory = PROCEDURE.actor(self.settings, "requested", requester, self.account)
            to = signatory_for(self.settings, recipient, "recipient", self.account)
            made = Request(
                id=named,
                study=study,
                permit=definition.permit,
                permit_hash=load_permit(self.settings, definition.permit).hash,
                clause=clause,
                reason=reason,
                persons=tuple(sorted(set(persons))),
                recipient=recipient,
                recipient_key=to.key,
                requester=requester,
                asked=self.clock().isoformat(timespec="seconds"),
                expires=expires.astimezone(UTC).isoformat(timespec="seconds"),
            )
            self.check(made)
            made = replace(made, signatures={requester: sign(key, signatory, made.message())})
            self.write(made)
        return made

    def approve(self, request_id: str, approver: str, key: Path) -> Request:
        """Sign a request as its first or second approver.

        Raises :class:`PermissionRefused` for the wrong person or moment or outside the permit, :class:`DataError`
        where there is no such request.
        """
        with (
            locked(self.path(request_id)),
            PROCEDURE.attempt(self.settings, "approved", {"request": request_id, "by": approver}),
        ):
            request = self.read(request_id)
            self.check(request)
            signatory = PROCEDURE.actor(self.settings, "approved", approver, self.account)
            PROCEDURE.require_another(request_id, signatory, self.signed_before(request, approver))
            self.require(request, "approved")
            signed = {**request.signatures, approver: sign(key, signatory, request.message())}
            request = replace(request, signatures=signed)
            self.write(request)
        return request

    def signed_before(self, request: Request, approver: str) -> list[Signatory]:
        """Who signed so far, but for an approver whose signature was kept and never came into the ledger.

        That is what is left of one who was killed in between: they may sign once more.
        """
        register = signatories(self.settings)
        history = PROCEDURE.history(self.settings, request.id)
        entered = {request.requester, *(body["by"] for event, body in history if event == "approved")}
        return [
            register[name]
            for name in request.signatures
            if name in register and (name in entered or name != approver)
        ]

    def require(self, request: Request, event: str) -> None:
        """:class:`PermissionRefused` where the event does not lead on from where the request stands now."""
        end = datetime.fromisoformat(request.expires)
        PROCEDURE.require(self.settings, request.id, event, now=self.clock(), expires=end)

    def deliver(self, request_id: str, out: Path) -> Path:
        """Seal the answer for the recipient into ``out``; once, and only with three valid signatures.

        Raises :class:`PermissionRefused` where signatures, permit or moment do not allow it, :class:`DataError`
        where there is no such request or ``out`` is there.
        """
        with (
            locked(self.path(request_id)),
            PROCEDURE.attempt(self.settings, "delivered", {"request": request_id}) as facts,
        ):
            request = self.read(request_id)
            facts |= {"permit": request.permit, "clause": request.clause, "to": request.recipient}
            facts |= {"persons": shown(len(request.persons)), "by": sorted(request.signatures)}
            self.check(request)
            self.check_signatures(request)
            self.require(request, "delivered")
            if out.exists():
                raise DataError(
                    f"{out} is there already.", "A delivery overwrites nothing.", "Name another file."
                )
            answer = self.answer(request).encode()
            box = seal(bytes.fromhex(request.recipient_key), answer, request.id.encode())
            with open_vault(self.settings).database(write=True) as store:
                row = (request.id, request.permit, len(request.persons))
                store.execute("INSERT INTO delivered VALUES (?, ?, ?)", row)
                self.write(replace(request, state="delivered"))
            write_private(out, request.id.encode() + b"\n" + box)
        return out

    def check(self, request: Request) -> None:
        """Raise :class:`PermissionRefused` for what the permit does not allow, is too old, too much, or delivered."""
        permit = load_permit(self.settings, request.permit)
        now = self.clock()
        rule = permit.reidentification
        problems = []
        if rule is None:
            raise refused(request, "the permit allows no re-identification")
        if request.state != "open" or PROCEDURE.state(self.settings, request.id) == DELIVERED:
            problems.append("it was delivered already")
        if permit.hash != request.permit_hash:
            problems.append("the permit has changed since it was asked")
        if not permit.valid_on(now.date()):
            problems.append("the permit is not valid today")
        if request.clause != rule.clause:
            problems.append(f"the permit's clause is '{rule.clause}'")
        if request.reason not in rule.reasons:
            problems.append(f"the permit allows the reasons {', '.join(rule.reasons)}")
        if not request.persons:
            problems.append("it names nobody")
        before = self.delivered(request.permit)
        if before + len(request.persons) > rule.max_persons:
            problems.append(f"the permit allows {rule.max_persons} persons, {before} are spent")
        problems += PROCEDURE.expiry_faults(request.asked, request.expires, now)
        if problems:
            raise refused(request, "; ".join(problems))

    def check_signatures(self, request: Request) -> None:
        """:class:`PermissionRefused` unless the requester and two further persons of the register signed this."""
        text = request.message()
        signed = {name: SignedText(name, text, each) for name, each in request.signatures.items()}
        asked = signed.pop(request.requester, SignedText("", text, ""))
        if fault := PROCEDURE.signature_fault(self.settings, asked, list(signed.values())):
            raise refused(request, fault)

    def answer(self, request: Request) -> str:
        """Pseudonym and number of each person, one a line; the forgotten and unknown are named as such.

        The vault knows lake tokens alone, so the study's token of each is made anew and compared. Raises
        :class:`ConfigurationError` where vault or keys cannot be opened.
        """
        import pyarrow as pa

        vault = open_vault(self.settings)
        tokens = vault.tokens()
        key = str(study_key_file(self.settings, request.study))
        made = token_batch(key, "study", pa.array(tokens, pa.string())).to_pylist()
        wanted = set(request.persons)
        found = {study: token for study, token in zip(made, tokens, strict=True) if study in wanted}
        known = vault.identify(found.values())
        lines = ["pseudonym;kind;issuer;number"]
        for person in request.persons:
            identity = known.get(found.get(person, ""))
            told = f"{identity.kind};{identity.issuer};{identity.value}" if identity else "not in the vault;;"
            lines.append(f"{person};{told}")
        return "\n".join(lines) + "\n"

    def delivered(self, permit: str) -> int:
        """Persons delivered under a permit so far."""
        with open_vault(self.settings).database() as store:
            query = "SELECT coalesce(sum(persons), 0) FROM delivered WHERE permit = ?"
            return int(store.execute(query, (permit,)).fetchone()[0])

    def read(self, request_id: str) -> Request:
        """A request as it lies on the desk; :class:`DataError` where there is none of that id."""
        path = self.path(request_id)
        if not request_id.isalnum() or not path.is_file():
            raise DataError(f"There is no request '{request_id}'.", "", "List them with 'reidentify list'.")
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Request(**{**content, "persons": tuple(content["persons"])})

    def all(self) -> list[Request]:
        """Every request, oldest first."""
        names = [path.stem for path in (self.settings.vault / "requests").glob("*.json")]
        return sorted((self.read(name) for name in names), key=lambda each: each.asked)

    def write(self, request: Request) -> None:
        """Put a request down."""
        write_private(self.path(request.id), json.dumps(asdict(request), indent=1).encode())


def refused(request: Request, why: str) -> PermissionRefused:
    """The refusal of a request."""
    return PermissionRefused(
        f"Request {request.id} is refused: {why}.",
        "Whom a pseudonym stands for is told only as far as the permit and three persons say.",
        "Ask anew within the permit, or have the permit amended.",
    )


def shown(count: int) -> int | str:
    """A number of persons as it may stand in the ledger."""
    return count if count >= 5 else "under 5"


def opened(box: Path, key: X25519PrivateKey) -> str:
    """What a recipient reads with their own key; :class:`DataError` where it does not open."""
    name, _, content = box.read_bytes().partition(b"\n")
    return unseal(key, content, name).decode()
