"""What lies on the release desk: requests as they were signed, and where each stands by the ledger."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lakehouse.errors import DataError, PermissionRefused
from lakehouse.governance.approvals.signed_request import EntryForm, Procedure, TextForm
from lakehouse.governance.approvals.state_table import ABSENT, OUT_OF_ORDER, StateTable, Step
from lakehouse.governance.permits.files import lake_kind
from lakehouse.settings import Settings

REQUESTED, REFUSED, APPROVED, REJECTED, RELEASED, WITHDRAWN = (
    "requested", "refused by the gate", "approved", "rejected", "released", "withdrawn",
)  # fmt: skip
STEPS = (
    Step("release-request", (ABSENT,), REQUESTED, ("requester",)),
    Step("release-refusal", (ABSENT,), REFUSED),
    Step("release-approval", (REQUESTED,), APPROVED, ("approver",)),
    Step("release-rejection", (REQUESTED,), REJECTED, ("approver",)),
    Step("release", (APPROVED, RELEASED), RELEASED),
    Step(
        "release-withdrawal",
        (ABSENT, REQUESTED, REFUSED, APPROVED, REJECTED, RELEASED, OUT_OF_ORDER),
        WITHDRAWN,
        ("approver", "requester"),
    ),
)
"""What leads from where. A release may be exported more than once: the folder may be needed again elsewhere."""
PROCEDURE = Procedure(
    StateTable(STEPS),
    TextForm(),
    EntryForm("release", refusal="release-step-refusal"),
    approvals=1,
    rule="What leaves is looked at by a second person, with an account and a key of their own.",
    hint="See 'patternlake release list'.",
)


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
        return PROCEDURE.form.text(asdict(self))


@dataclass(frozen=True)
class Actor:
    """Who acts: a named signatory, the account they act from, their key file."""

    name: str
    key: Path
    account: str


def acting(settings: Settings, name: str, key: Path, claimed: str | None = None) -> Actor:
    """The one who acts; on a lake of no real persons a rehearsal may claim another account.

    Raises :class:`PermissionRefused` where another account is claimed on a lake of real persons.
    """
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
    """Folder of one release; a beginning of its id is enough.

    Raises :class:`DataError` where it is the beginning of no release's id or of several.
    """
    found = [path for path in desk(settings).glob(f"{release}*") if (path / "request.json").is_file()]
    if len(found) != 1:
        raise DataError(
            f"{release} fits {len(found)} releases.", "", "See 'patternlake release list' for their ids."
        )
    return found[0]


def load(settings: Settings, release: str) -> Request:
    """A request as it was signed; :class:`DataError` where there is none or are several of that id."""
    return Request(**json.loads((folder_of(settings, release) / "request.json").read_bytes()))


def steps(settings: Settings, release: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the ledger says of a release, in order; :class:`ScopeBreach` where the ledger is not readable."""
    return PROCEDURE.history(settings, release)


def state(settings: Settings, release: str) -> str:
    """Where a release stands, by the ledger; :class:`ScopeBreach` where the ledger is not readable."""
    return PROCEDURE.state(settings, release)
