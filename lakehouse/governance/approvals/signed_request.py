"""One signed request: asked by one person, approved by others, every step an event in the ledger.

Releases and re-identification stand on it, and every later desk: what differs between them is data (:class:`Procedure`).
A request has one text that is signed; who asks and who approves are different persons with accounts and keys of their
own; where it stands is what the ledger says, never what a file says; what is refused is on record too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lakehouse.errors import PatternlakeError, PermissionRefused
from lakehouse.governance.approvals.signatories import Signatory, signatories, signatory_for, verified
from lakehouse.governance.approvals.state_table import StateTable
from lakehouse.governance.ledger import ledger

if TYPE_CHECKING:
    from lakehouse.settings import Settings

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class TextForm:
    """How content becomes the one text that is signed. A form in use never changes, or old signatures fail.

    ``heading`` comes first and tells kinds of requests apart; a ``compact`` text is UTF-8 without spaces.
    """

    heading: bytes = b""
    compact: bool = True

    def text(self, content: Mapping[str, Any]) -> bytes:
        """The text of this content: JSON with its keys in order."""
        separators = (",", ":") if self.compact else (", ", ": ")
        told = json.dumps(content, sort_keys=True, separators=separators, ensure_ascii=not self.compact)
        return self.heading + told.encode()


@dataclass(frozen=True)
class EntryForm:
    """How the events of a kind of request stand in the ledger.

    ``subject`` is the key of the body that holds the request's id. With ``kind`` every entry is of that kind and its
    body names the ``event``; without, each event is a kind of entry of its own. Refusals are of kind ``refusal``.
    """

    subject: str
    kind: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class SignedText:
    """Who signed which text; ``signature`` in hex."""

    name: str
    text: bytes
    signature: str


@dataclass(frozen=True)
class Procedure:
    """One kind of request: its states, its text, its entries, how many approve it, how long it may wait.

    ``rule`` is the sentence told to somebody who would act as two persons, ``hint`` the one about what to do next.
    """

    table: StateTable
    form: TextForm
    entries: EntryForm
    approvals: int
    rule: str
    hint: str
    longest: timedelta | None = None

    def history(self, settings: Settings, request: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events of a request with their entries' bodies, in the order of the ledger.

        Raises :class:`ScopeBreach` where a line of the ledger is not readable.
        """
        form = self.entries
        for entry in ledger.entries(settings):
            body, kind = entry["body"], str(entry["kind"])
            event = str(body.get("event", "")) if form.kind else kind
            if body.get(form.subject) == request and form.kind in ("", kind) and event in self.table.events:
                yield event, body

    def state(
        self, settings: Settings, request: str, now: datetime | None = None, expires: datetime | None = None
    ) -> str:
        """Where a request stands by the ledger and, where a moment is given, by the clock."""
        stands = self.table.replay(event for event, _ in self.history(settings, request))
        return self.table.at(stands, now, expires)

    def require(
        self,
        settings: Settings,
        request: str,
        *events: str,
        now: datetime | None = None,
        expires: datetime | None = None,
    ) -> str:
        """The state of a request from which each of the events leads on; else :class:`PermissionRefused`."""
        stands = self.state(settings, request, now, expires)
        for event in events:
            if self.table.after(stands, event) is None:
                wanted = " or ".join(dict.fromkeys(self.table.before(event)))
                raise PermissionRefused(
                    f"{request} is {stands}.", f"This step needs it to be {wanted}.", self.hint
                )
        return stands

    def actor(self, settings: Settings, event: str, name: str, account: str | None) -> Signatory:
        """The signatory of that name, acting from their own account in a role that may bring the event about.

        Raises :class:`PermissionRefused` where the register or the account says otherwise.
        """
        entered, roles = signatories(settings).get(name), self.table.roles(event)
        held = [role for role in roles if entered and role in entered.roles]
        return signatory_for(settings, name, (held or roles)[0], account)

    def require_another(self, request: str, signatory: Signatory, before: Iterable[Signatory]) -> None:
        """:class:`PermissionRefused` where one who signed before may be the same person under another entry."""
        for other in before:
            if one_person(signatory, other):
                raise PermissionRefused(
                    f"'{signatory.name}' has signed request {request} already, as {other.name}.",
                    self.rule,
                    "Ask another approver.",
                )

    def signature_fault(self, settings: Settings, asked: SignedText, approvals: Sequence[SignedText]) -> str:
        """Why these signatures do not suffice, in words; nothing when the requester and enough others signed.

        All must be in the register, each approver with that role, and no two of them one person.
        """
        register = signatories(settings)
        signed = [asked, *approvals]
        if any(each.name not in register for each in signed) or not all(
            verified(register[each.name], each.text, each.signature) for each in signed
        ):
            return "a signature on it does not hold"
        people = [register[each.name] for each in signed]
        if any(one_person(one, other) for at, one in enumerate(people) for other in people[:at]):
            return "a signature on it does not hold"
        valid = sum("approver" in each.roles for each in people[1:])
        return "" if valid >= self.approvals else f"{valid} of {self.approvals} approvals are there"

    def expiry_faults(self, asked: str, expires: str, now: datetime) -> list[str]:
        """What is wrong with a request's expiry at this moment, in words; both times are ISO 8601 with a zone."""
        end, faults = datetime.fromisoformat(expires), []
        if now >= end:
            faults.append(f"it expired on {expires}")
        if self.longest is not None and end - datetime.fromisoformat(asked) > self.longest:
            faults.append(f"it may wait {self.longest.days} days at most")
        return faults

    def enter(self, settings: Settings, event: str, facts: Mapping[str, Any]) -> None:
        """Write an event into the ledger; ``facts`` hold the request's id and no person.

        Raises :class:`ConfigurationError` where it cannot be written, :class:`ScopeBreach` where the ledger does
        not hold.
        """
        if self.entries.kind:
            ledger.append(settings, self.entries.kind, {"event": event, **facts})
        else:
            ledger.append(settings, event, dict(facts))

    @contextmanager
    def refusals_recorded(self, settings: Settings, event: str, facts: Mapping[str, Any]) -> Iterator[None]:
        """Whatever is refused inside stands in the ledger before it is raised again."""
        try:
            yield
        except PatternlakeError as refusal:
            named = {"event": f"{event}: refused"} if self.entries.kind else {"step": event}
            body = {**named, **facts, "why": refusal.what}
            kept = {key: tellable(fact) for key, fact in body.items()}
            ledger.append(settings, self.entries.kind or self.entries.refusal, kept)
            raise

    @contextmanager
    def attempt(self, settings: Settings, event: str, facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The intent in the ledger before, and how it ended after; no ledger, no act. Facts may be added inside."""
        ledger.append(settings, self.entries.kind, {"event": f"{event}: intent", **facts})
        with self.refusals_recorded(settings, event, facts):
            yield facts
        self.enter(settings, event, facts)


def one_person(one: Signatory, other: Signatory) -> bool:
    """Whether two entries are one person as far as a register can tell: the same name, account or key."""
    return one.name == other.name or one.account == other.account or one.key == other.key


def digest(text: bytes) -> str:
    """SHA-256 of a signed text, hex."""
    return hashlib.sha256(text).hexdigest()


def utc_now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


def now() -> str:
    """This second, UTC, as ISO 8601."""
    return utc_now().isoformat(timespec="seconds")


def tellable(fact: Any) -> Any:
    """A fact as the ledger may hold it: a text with what looks like a person's number or token is withheld."""
    return "withheld" if isinstance(fact, str) and ledger.NEVER.search(fact) else fact
