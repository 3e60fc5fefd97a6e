"""A request for re-identification: what is asked, the text that three persons sign, and its states as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import timedelta

from lakehouse.governance.approvals.signed_request import EntryForm, Procedure, TextForm, digest
from lakehouse.governance.approvals.state_table import ABSENT, StateTable, Step

ASKED, WAITING, APPROVED, DELIVERED, EXPIRED = "asked", "waiting", "approved", "delivered", "expired"
STEPS = (
    Step("requested", (ABSENT,), ASKED, ("requester",)),
    Step("approved", (ASKED,), WAITING, ("approver",)),
    Step("approved", (WAITING, APPROVED), APPROVED, ("approver",)),
    Step("delivered", (APPROVED,), DELIVERED),
    Step("expired", (ASKED, WAITING, APPROVED), EXPIRED),
)
"""What leads from where: the first approver's word waits for the second's."""
PROCEDURE = Procedure(
    StateTable(STEPS, expiry="expired"),
    TextForm(b"patternlake re-identification 1\n", compact=False),
    EntryForm("request", kind="re-identification"),
    approvals=2,
    rule="The requester and the two approvers are three persons.",
    hint="See 'patternlake reidentify list'; an approval that the ledger lacks is given by approving once more.",
    longest=timedelta(days=30),
)
"""A request may wait thirty days at most, whatever it asks for."""


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
        return PROCEDURE.form.text(content)

    @property
    def digest(self) -> str:
        """Short digest of what is asked, for people to compare."""
        return digest(self.message())[:12]

    def describe(self) -> str:
        """What an approver reads before signing."""
        return (
            f"Request {self.id} ({self.state}), digest {self.digest}\n"
            f"  asked by {self.requester} on {self.asked}, valid until {self.expires}\n"
            f"  study {self.study}, permit {self.permit}, clause {self.clause}, reason {self.reason}\n"
            f"  {len(self.persons)} persons, to be sealed for {self.recipient}\n"
            f"  approved by {', '.join(name for name in self.signatures if name != self.requester) or 'nobody yet'}"
        )
