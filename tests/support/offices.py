"""A small lake's desk of re-identification for tests: a filled vault, a permit, entered persons with their keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lakehouse.governance.approvals.signatories import Signatory, enter, make_pair
from lakehouse.governance.ledger import ledger
from lakehouse.governance.persons.reidentification import Desk
from lakehouse.governance.persons.reidentification_request import Request
from lakehouse.identity.pseudonyms import root_key_file, tokeniser
from lakehouse.identity.study_pseudonyms import study_key_file
from lakehouse.settings import Settings
from tests.governance.test_vault import filled

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
PERMIT = """
permit_id = "care"
title = "Findings back to the ward"
legal_basis = "46(2)"
authority = "the Region"
valid_from = 2025-01-01
valid_to = 2025-12-31
responsible = "A. Researcher"
users = ["anna"]
purpose = "Tests"
[tables."gold.person"]
direct = ["person_id"]
{clause}
"""
CLAUSE = """
[reidentification]
clause = "7 a"
reasons = ["own-patients", "adverse-event"]
max_persons = 3
"""
PEOPLE = {
    "Anna": ("anna", "requester", "approver"),
    "Bo": ("bo", "approver"),
    "Carla": ("carla", "approver", "requester"),
    "Ward 4": ("ward4", "recipient"),
}


@dataclass
class Office:
    """A lake with a filled vault, a permit, four entered persons and their keys."""

    settings: Settings
    folder: Path
    pseudonyms: list[str]

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def desk(self, account: str = "", now: datetime = NOW) -> Desk:
        return Desk(self.settings, account or None, lambda: now)

    def ask(self, **changed: Any) -> Request:
        given: dict[str, Any] = {
            "requester": "Anna",
            "key": self.key("Anna"),
            "study": "care",
            "persons": self.pseudonyms[:2],
            "clause": "7 a",
            "reason": "own-patients",
            "recipient": "Ward 4",
            "expires": NOW + timedelta(days=7),
            "account": "anna",
        } | changed
        return self.desk(given.pop("account")).ask(**given)

    def approve(self, request: Request, name: str, **changed: Any) -> Request:
        account = changed.get("account", PEOPLE[name][0])
        desk = self.desk(account, changed.get("now", NOW))
        return desk.approve(request.id, name, changed.get("key", self.key(name)))

    def approved(self, **changed: Any) -> Request:
        request = self.ask(**changed)
        self.approve(request, "Bo")
        return self.approve(request, "Carla")

    def deliver(self, request: Request, name: str = "answer", now: datetime = NOW) -> Path:
        return self.desk("vault", now).deliver(request.id, self.folder / name)

    def events(self) -> list[dict[str, Any]]:
        kinds = ("re-identification",)
        return [entry["body"] for entry in ledger.entries(self.settings) if entry["kind"] in kinds]


def make_office(settings: Settings, folder: Path) -> Office:
    """An office of this lake; everybody's key lies in ``folder``."""
    _, tokens = filled(settings)
    settings.write_definition("permits", "care", PERMIT.format(clause=CLAUSE))
    settings.write_definition("studies", "care", 'id = "care"\npermit = "care"\n')
    root_key_file(settings, create=False)
    make = tokeniser(str(study_key_file(settings, "care")), "study")
    made = Office(settings, folder, [make(token.encode()) for token in tokens])
    for name, (account, *roles) in PEOPLE.items():
        public = make_pair(made.key(name), "receive" if "recipient" in roles else "sign")
        enter(settings, Signatory(name, account, public, tuple(roles)))
    return made
