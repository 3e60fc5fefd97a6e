"""Where a signed request stands, read from the rules in words and one event after another; slow and obvious."""

from __future__ import annotations

from collections.abc import Sequence


def release_stands(events: Sequence[str]) -> str:
    """A release: asked, looked at by the gate and by a second person, exported, perhaps taken back."""
    stands = "not in the ledger"
    for event in events:
        fits = False
        if event == "release-request" and stands == "not in the ledger":
            stands, fits = "requested", True
        elif event == "release-refusal" and stands == "not in the ledger":
            stands, fits = "refused by the gate", True
        elif event == "release-approval" and stands == "requested":
            stands, fits = "approved", True
        elif event == "release-rejection" and stands == "requested":
            stands, fits = "rejected", True
        elif event == "release" and stands in ("approved", "released"):
            stands, fits = "released", True
        elif event == "release-withdrawal" and stands != "withdrawn":
            stands, fits = "withdrawn", True
        if not fits:
            stands = "out of order"
    return stands


def reidentification_stands(events: Sequence[str], *, late: bool = False) -> str:
    """A re-identification: asked, approved by two or more, delivered once; ``late`` after its expiry."""
    asked = events[:1] == ["requested"]
    approvals = [event for event in events[1:] if event == "approved"]
    rest = [event for event in events[1:] if event != "approved"]
    expired = rest == ["expired"] and events[-1] == "expired"
    delivered = rest == ["delivered"] and events[-1] == "delivered" and len(approvals) >= 2
    if not events:
        return "not in the ledger"
    if not asked or (rest and not delivered and not expired):
        return "out of order"
    if delivered:
        return "delivered"
    if late or expired:
        return "expired"
    return ("asked", "waiting", "approved")[min(len(approvals), 2)]
