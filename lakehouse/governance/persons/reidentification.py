"""Re-identification under four eyes: asked by one, approved by two others, delivered once, to a clinical recipient only.

A request names a study's pseudonyms, the permit's clause, a reason, a recipient and an expiry, and is signed. Two
approvers sign the very same text. Only then the vault is asked, and the answer is sealed to the recipient's key.
Every attempt stands in the ledger before anything happens, refused ones with their reason.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import DataError, PatternlakeError, PermissionRefused
from lakehouse.governance.approvals.signatories import (
    Signatory,
    locked,
    sign,
    signatories,
    signatory_for,
    verified,
)
from lakehouse.governance.ledger import ledger
from lakehouse.governance.permits.files import load_permit, load_study
from lakehouse.identity.pseudonyms import token_batch
from lakehouse.identity.sealed_box import seal, unseal
from lakehouse.identity.study_pseudonyms import study_key_file
from lakehouse.identity.vault import open_vault
from lakehouse.private_files import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from lakehouse.settings import Settings

APPROVALS = 2
LONGEST = timedelta(days=30)
"""A request may wait at most so long, whatever it asks for."""
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Request:
    """What is asked. ``persons`` are pseudonyms of the study; ``signatures`` by signatory, over :meth:`message`."""

    id: str
    study: str
    permit: str
    permit_hash: str
    clause: str
    reason: str
    persons: tuple[str, ...]
    recipient: str
    recipient_key: str
    requester: str
    asked: str
    expires: str
    state: str = "open"
    signatures: dict[str, str] = field(default_factory=dict)

    def message(self) -> bytes:
        """The text that is signed: everything but its state and the signatures."""
        content = asdict(self)
        del content["state"], content["signatures"]
        return b"patternlake re-identification 1\n" + json.dumps(content, sort_keys=True).encode()

    @property
    def digest(self) -> str:
        """Short digest of what is asked, for people to compare."""
        return hashlib.sha256(self.message()).hexdigest()[:12]

    def describe(self) -> str:
        """What an approver reads before signing."""
        return (
            f"Request {self.id} ({self.state}), digest {self.digest}\n"
            f"  asked by {self.requester} on {self.asked}, valid until {self.expires}\n"
            f"  study {self.study}, permit {self.permit}, clause {self.clause}, reason {self.reason}\n"
            f"  {len(self.persons)} persons, to be sealed for {self.recipient}\n"
            f"  approved by {', '.join(name for name in self.signatures if name != self.requester) or 'nobody yet'}"
        )


@dataclass(frozen=True)
class Desk:
    """The desk of one lake. ``account`` is who runs this (default: the operating system's word for it)."""

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
        """Put a request on the desk, or refuse it; either way it is in the ledger."""
        named = secrets.token_hex(4)
        facts = {"request": named, "study": study, "clause": clause, "reason": reason, "by": requester}
        with self.recorded("requested", {**facts, "persons": shown(len(set(persons)))}):
            definition = load_study(self.settings, study)
            signatory = signatory_for(self.settings, requester, "requester", self.account)
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
        """Sign a request as its first or second approver."""
        with (
            locked(self.path(request_id)),
            self.recorded("approved", {"request": request_id, "by": approver}),
        ):
            request = self.read(request_id)
            self.check(request)
            signatory = signatory_for(self.settings, approver, "approver", self.account)
            register = signatories(self.settings)
            if same := [name for name in request.signatures if one_person(signatory, register[name])]:
                raise PermissionRefused(
                    f"'{approver}' has signed request {request_id} already, as {same[0]}.",
                    "The requester and the two approvers are three persons.",
                    "Have another approver sign.",
                )
            signed = {**request.signatures, approver: sign(key, signatory, request.message())}
            request = replace(request, signatures=signed)
            self.write(request)
        return request

    def deliver(self, request_id: str, out: Path) -> Path:
        """Seal the answer for the recipient into ``out``; once, and only with three valid signatures."""
        with (
            locked(self.path(request_id)),
            self.recorded("delivered", {"request": request_id}) as facts,
        ):
            request = self.read(request_id)
            facts |= {"permit": request.permit, "clause": request.clause, "to": request.recipient}
            facts |= {"persons": shown(len(request.persons)), "by": sorted(request.signatures)}
            self.check(request)
            self.check_signatures(request)
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
        """Refuse what the permit does not allow, what is too old, too much, or was delivered."""
        permit = load_permit(self.settings, request.permit)
        now = self.clock()
        rule = permit.reidentification
        problems = []
        if rule is None:
            raise refused(request, "the permit allows no re-identification")
        if request.state != "open":
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
        expires = datetime.fromisoformat(request.expires)
        if now >= expires:
            problems.append(f"it expired on {request.expires}")
        if expires - datetime.fromisoformat(request.asked) > LONGEST:
            problems.append(f"it may wait {LONGEST.days} days at most")
        if problems:
            raise refused(request, "; ".join(problems))

    def check_signatures(self, request: Request) -> None:
        """Refuse unless the requester and two further persons of the register signed exactly this."""
        register = signatories(self.settings)
        valid = [
            register[name]
            for name, signature in request.signatures.items()
            if name in register and verified(register[name], request.message(), signature)
        ]
        approvers = [each for each in valid if each.name != request.requester and "approver" in each.roles]
        asked = [each for each in valid if each.name == request.requester]
        people = [*asked, *approvers]
        distinct = all(not one_person(one, other) for at, one in enumerate(people) for other in people[:at])
        if len(valid) != len(request.signatures) or not asked or not distinct:
            raise refused(request, "a signature on it does not hold")
        if len(approvers) < APPROVALS:
            raise refused(request, f"{len(approvers)} of {APPROVALS} approvals are there")

    def answer(self, request: Request) -> str:
        """Pseudonym and number of each person, one a line; the forgotten and unknown are named as such.

        The vault knows lake tokens alone, so the study's token of each is made anew and compared.
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
        """A request as it lies on the desk."""
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

    @contextmanager
    def recorded(self, event: str, facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The intent in the ledger before, and how it ended after; no ledger, no act."""
        ledger.append(self.settings, "re-identification", {"event": f"{event}: intent", **facts})
        try:
            yield facts
        except PatternlakeError as refusal:
            body = {"event": f"{event}: refused", **facts, "why": refusal.what}
            ledger.append(self.settings, "re-identification", body)
            raise
        ledger.append(self.settings, "re-identification", {"event": event, **facts})


def one_person(one: Signatory, other: Signatory) -> bool:
    """Whether two entries are one person as far as a register can tell."""
    return one.name == other.name or one.account == other.account or one.key == other.key


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
    """What a recipient reads with their own key."""
    name, _, content = box.read_bytes().partition(b"\n")
    return unseal(key, content, name).decode()
