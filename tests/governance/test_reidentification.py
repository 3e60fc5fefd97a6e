"""Four eyes, attacked: one person, one person in two roles, expired, over the limit, under the wrong clause, forged."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from experiments.cli.reidentify import app
from lakehouse.errors import ConfigurationError, DataError, PermissionRefused
from lakehouse.governance.approvals.signatories import Signatory, enter, make_pair, register_file, signatories
from lakehouse.governance.ledger import ledger
from lakehouse.governance.persons.reidentification import opened
from lakehouse.identity.sealed_box import private_x25519
from lakehouse.identity.vault import open_vault
from lakehouse.settings import Settings
from tests.governance.test_vault import NUMBERS
from tests.support.offices import CLAUSE, NOW, PERMIT, Office, make_office


@pytest.fixture
def office(settings: Settings, tmp_path: Path) -> Office:
    return make_office(settings, tmp_path / "keys")


def nothing_was_told(office: Office) -> None:
    assert not [path for path in office.folder.iterdir() if path.name.startswith("answer")]
    assert open_vault(office.settings).count() == 3
    assert office.desk().delivered("care") == 0
    assert any("refused" in event["event"] for event in office.events())
    ledger.verify(office.settings)


def test_three_persons_lead_to_an_answer_that_the_recipient_alone_can_read(office: Office) -> None:
    out = office.deliver(office.approved())
    assert out.stat().st_mode & 0o077 == 0
    assert not any(number.encode() in out.read_bytes() for number in NUMBERS)
    answer = opened(out, private_x25519(office.key("Ward 4")))
    assert sorted(answer.splitlines()[1:]) == sorted(
        f"{person};replacement;;{number}"
        for person, number in zip(office.pseudonyms, NUMBERS[:2], strict=False)
    )
    make_pair(office.key("other"), "receive")
    with pytest.raises(DataError, match="does not open"):
        opened(out, private_x25519(office.key("other")))
    told = json.dumps([*ledger.entries(office.settings)])
    assert [event["event"] for event in office.events()][-2:] == ["delivered: intent", "delivered"]
    assert office.events()[-1]["by"] == ["Anna", "Bo", "Carla"]
    assert office.events()[-1]["persons"] == "under 5"
    assert not any(text in told for text in [*NUMBERS, *office.pseudonyms])
    ledger.verify(office.settings)


def test_b7_one_person_alone(office: Office) -> None:
    request = office.ask()
    with pytest.raises(PermissionRefused, match="0 of 2 approvals"):
        office.deliver(request)
    with pytest.raises(PermissionRefused, match=r"signed request .* already"):
        office.approve(request, "Anna")
    office.approve(request, "Bo")
    with pytest.raises(PermissionRefused, match="1 of 2 approvals"):
        office.deliver(request)
    nothing_was_told(office)


def test_b7_one_approver_twice(office: Office) -> None:
    request = office.ask()
    office.approve(request, "Bo")
    with pytest.raises(PermissionRefused, match="already, as Bo"):
        office.approve(request, "Bo")
    with pytest.raises(PermissionRefused, match="1 of 2"):
        office.deliver(request)
    nothing_was_told(office)


def test_b7_one_person_in_two_roles_or_under_two_names(office: Office) -> None:
    bo = signatories(office.settings)["Bo"]
    key = make_pair(office.key("Bodil"), "sign")
    for entry in (
        Signatory("Bo", "bodil", key, ("approver",)),
        Signatory("Bodil", "bo", key, ("approver",)),
        Signatory("Bodil", "bodil", bo.key, ("approver",)),
    ):
        with pytest.raises(PermissionRefused, match="has the same"):
            enter(office.settings, entry)
    request = office.ask()
    office.approve(request, "Bo")
    for name, account in (("Carla", "bo"), ("Carla", "anna")):
        with pytest.raises(PermissionRefused, match="is not that of 'Carla'"):
            office.approve(request, name, account=account)
    with pytest.raises(PermissionRefused, match="is not that of 'Carla'"):
        office.approve(request, "Carla", key=office.key("Bo"))
    with pytest.raises(PermissionRefused, match="1 of 2"):
        office.deliver(request)
    nothing_was_told(office)


def test_b7_expired_while_asked_approved_or_delivered(office: Office) -> None:
    later = NOW + timedelta(days=8)
    with pytest.raises(PermissionRefused, match="expired"):
        office.ask(expires=NOW - timedelta(minutes=1))
    with pytest.raises(PermissionRefused, match="30 days at most"):
        office.ask(expires=NOW + timedelta(days=31))
    request = office.ask()
    with pytest.raises(PermissionRefused, match="expired"):
        office.approve(request, "Bo", now=later)
    office.approve(request, "Bo")
    office.approve(request, "Carla")
    with pytest.raises(PermissionRefused, match="expired"):
        office.deliver(request, now=later)
    with pytest.raises(PermissionRefused, match="permit is not valid today"):
        office.deliver(request, now=NOW + timedelta(days=365))
    nothing_was_told(office)


def test_b7_over_the_limit_at_once_or_in_parts(office: Office) -> None:
    with pytest.raises(PermissionRefused, match="allows 3 persons, 0 are spent"):
        office.ask(persons=["01" + f"{number:032x}" for number in range(4)])
    first, second = office.approved(), office.approved(persons=office.pseudonyms[1:])
    office.deliver(first, "first")
    with pytest.raises(PermissionRefused, match="allows 3 persons, 2 are spent"):
        office.deliver(second)
    assert office.desk().delivered("care") == 2


def test_b7_wrong_clause_or_reason_or_no_clause_at_all(office: Office) -> None:
    for changed in ({"clause": "8 b"}, {"reason": "curiosity"}, {"persons": []}):
        with pytest.raises(PermissionRefused, match=r"clause is '7 a'|allows the reasons|names nobody"):
            office.ask(**changed)
    request = office.approved()
    office.settings.write_definition("permits", "care", PERMIT.format(clause=""))
    with pytest.raises(PermissionRefused, match="allows no re-identification"):
        office.deliver(request)
    office.settings.write_definition(
        "permits", "care", PERMIT.format(clause=CLAUSE.replace("max_persons = 3", "max_persons = 9"))
    )
    with pytest.raises(PermissionRefused, match="permit has changed"):
        office.deliver(request)
    nothing_was_told(office)


def test_b7_a_request_changed_after_it_was_signed(office: Office) -> None:
    request = office.approved()
    other = make_pair(office.key("thief"), "receive")
    for changed in (
        {"persons": tuple(office.pseudonyms[2:])},
        {"recipient_key": other},
        {"expires": (NOW + timedelta(days=20)).isoformat()},
        {"signatures": {**request.signatures, "Bo": request.signatures["Carla"]}},
    ):
        office.desk().write(replace(request, **changed))  # type: ignore[arg-type]
        with pytest.raises(PermissionRefused, match="signature on it does not hold"):
            office.deliver(request)
    nothing_was_told(office)


def test_b7_a_register_with_one_key_under_two_names(office: Office) -> None:
    request = office.ask()
    office.approve(request, "Bo")
    bo = signatories(office.settings)["Bo"]
    forged = [*json.loads(register_file(office.settings).read_text())]
    forged.append({"name": "Dora", "account": "dora", "key": bo.key, "roles": ["approver"]})
    register_file(office.settings).write_text(json.dumps(forged))
    with pytest.raises(PermissionRefused, match="already, as Bo"):
        office.desk("dora").approve(request.id, "Dora", office.key("Bo"))
    nothing_was_told(office)


def test_delivered_once_and_over_nothing(office: Office) -> None:
    request = office.approved()
    office.deliver(request)
    with pytest.raises(PermissionRefused, match="delivered already"):
        office.deliver(request, "answer-2")
    (office.folder / "there").touch()
    with pytest.raises(PermissionRefused, match=r"2 are spent|delivered already"):
        office.deliver(request, "there")


def test_unknown_names_roles_and_requests(office: Office) -> None:
    with pytest.raises(PermissionRefused, match="not in the register"):
        office.ask(requester="Nobody")
    with pytest.raises(PermissionRefused, match="is no requester"):
        office.ask(requester="Bo", key=office.key("Bo"), account="bo")
    with pytest.raises(PermissionRefused, match="is no recipient"):
        office.ask(recipient="Bo")
    with pytest.raises(DataError, match="no request"):
        office.desk("bo").approve("../care", "Bo", office.key("Bo"))
    office.key("Anna").chmod(0o644)
    with pytest.raises(ConfigurationError, match="can be read by others"):
        office.ask()


def test_no_ledger_no_answer(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    request = office.approved()

    def full(*arguments: Any) -> str:
        raise ConfigurationError("The ledger cannot be written.")

    monkeypatch.setattr(ledger, "append", full)
    with pytest.raises(ConfigurationError, match="ledger"):
        office.deliver(request)
    assert not (office.folder / "answer").exists()


def test_the_forgotten_are_named_to_nobody(office: Office) -> None:
    vault = open_vault(office.settings)
    vault.shred([token for token, each in vault.identify(vault.tokens()).items() if each.value == NUMBERS[0]])
    answer = opened(office.deliver(office.approved()), private_x25519(office.key("Ward 4")))
    assert NUMBERS[0] not in answer
    assert f"{office.pseudonyms[0]};not in the vault" in answer


@pytest.mark.parametrize("command", ["signatory", "officer"])
def test_a_signatory_is_entered_by_the_new_and_the_old_command(settings: Settings, command: str) -> None:
    make_pair(settings.keys / "dora.key", "sign")
    given = [
        command, "Dora", "--account", "dora", "--public", str(settings.keys / "dora.pub"),
        "--role", "approver", "--lake", str(settings.home),
    ]  # fmt: skip
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0 and done.output == "Dora (approver)\n"
    assert register_file(settings).name == "officers.json" and signatories(settings)["Dora"].account == "dora"
    assert [entry["kind"] for entry in ledger.entries(settings)] == ["officer"]
