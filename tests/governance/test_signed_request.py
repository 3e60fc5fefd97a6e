"""One signed request under release and re-identification: the states as a table, persons as different persons."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import PatternlakeError, PermissionRefused
from lakehouse.governance.approvals.signatories import (
    Signatory,
    enter,
    make_pair,
    register_file,
    sign,
    signatories,
)
from lakehouse.governance.approvals.signed_request import Procedure, SignedText
from lakehouse.governance.approvals.state_table import ABSENT, OUT_OF_ORDER, StateTable, Step
from lakehouse.governance.ledger import ledger
from lakehouse.governance.persons import reidentification_request
from lakehouse.governance.release import records
from lakehouse.governance.release.package import export
from lakehouse.governance.release.records import Actor, state
from lakehouse.governance.release.requests import request, review, withdraw
from lakehouse.settings import Settings
from tests.oracles.requests import reidentification_stands, release_stands
from tests.support.desks import Desk, make_desk
from tests.support.offices import CLAUSE, NOW, PERMIT, Office, make_office

BOTH = [records.PROCEDURE, reidentification_request.PROCEDURE]


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    return make_desk(tmp_path / "home")


@pytest.fixture
def office(settings: Settings, tmp_path: Path) -> Office:
    return make_office(settings, tmp_path / "keys")


@given(st.lists(st.sampled_from([step.event for step in records.STEPS]), max_size=8))
def test_any_events_of_a_release_lead_where_the_rules_in_words_say(events: list[str]) -> None:
    assert records.PROCEDURE.table.replay(events) == release_stands(events)


@given(
    st.lists(st.sampled_from([step.event for step in reidentification_request.STEPS]), max_size=8),
    st.booleans(),
)
def test_any_events_of_a_reidentification_lead_where_the_rules_in_words_say(
    events: list[str], late: bool
) -> None:
    table = reidentification_request.PROCEDURE.table
    now = NOW + timedelta(days=1 if late else -1)
    stands = table.at(table.replay(events), now, NOW)
    assert stands == reidentification_stands(events, late=late)


@pytest.mark.parametrize("procedure", BOTH)
def test_every_state_can_be_reached_and_left_until_an_end(procedure: Procedure) -> None:
    table = procedure.table
    reached, new = {ABSENT}, {ABSENT}
    while new:
        new = {after for s in new for e in table.events if (after := table.after(s, e))} - reached
        reached |= new
    assert reached | {OUT_OF_ORDER} == table.states
    closed = set(table.ends)
    while more := {
        s for s in table.states - closed if any(table.after(s, e) in closed for e in table.events)
    }:
        closed |= more
    assert closed == table.states, "every open state has a way to an end"
    assert table.ends and ABSENT not in table.ends


def test_a_table_says_one_thing_of_one_event() -> None:
    with pytest.raises(ValueError, match="yes leads on from asked in two ways"):
        StateTable((Step("yes", ("asked",), "done"), Step("yes", ("asked", "open"), "open")))


def test_texts_that_were_signed_before_stay_what_they_were(at: Desk, office: Office) -> None:
    release = request(at.settings, at.run, at.anna, purpose="prøve", recipient="a journal")
    compact = json.dumps(asdict(release), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert release.text == compact.encode() and "prøve".encode() in release.text
    asked = office.ask()
    content = {key: each for key, each in asdict(asked).items() if key not in ("state", "signatures")}
    spaced = b"patternlake re-identification 1\n" + json.dumps(content, sort_keys=True).encode()
    assert asked.message() == spaced


def allowed(act: Callable[..., Any], *given: Any, **named: Any) -> tuple[bool, Any]:
    """Whether it was not refused, and what it gave."""
    try:
        return True, act(*given, **named)
    except PatternlakeError:
        return False, None


def test_a_random_walk_over_releases_goes_as_a_plain_model_says(at: Desk, tmp_path: Path) -> None:
    seed = secrets.randbits(40)
    draw = random.Random(seed)
    roles = {
        "anna": {"requester"},
        "bo": {"approver"},
        "carl": {"approver", "requester"},
        "eva": {"approver"},
    }
    people = {"anna": at.anna, "bo": at.bo}
    for name, account in (("carl", "carl-account"), ("eva", "author-account")):
        key = tmp_path / f"{name}.pem"
        enter(at.settings, Signatory(name, account, make_pair(key, "sign"), tuple(sorted(roles[name]))))
        people[name] = Actor(name, key, account)
    stands: dict[str, str] = {}
    asker: dict[str, str] = {}
    refusals = 0
    for step in range(45):
        who, what = draw.choice(list(people)), draw.choice(["ask", "approve", "reject", "export", "withdraw"])
        release = draw.choice([*stands, ""])
        if what == "ask" or not release:
            done, made = allowed(request, at.settings, at.run, people[who], purpose="p", recipient="r")
            expected = "requester" in roles[who]
            if done:
                stands[made.id], asker[made.id] = "requested", who
        elif what in ("approve", "reject"):
            yes = what == "approve"
            done, _ = allowed(review, at.settings, release, people[who], approve=yes, reason="x")
            other = "approver" in roles[who] and who not in (asker[release], "eva")
            expected = other and stands[release] == "requested"
            stands[release] = ("approved" if yes else "rejected") if expected else stands[release]
        elif what == "export":
            done, _ = allowed(export, at.settings, release, tmp_path / f"out{step}")
            expected = stands[release] in ("approved", "released")
            stands[release] = "released" if expected else stands[release]
        else:
            done, _ = allowed(withdraw, at.settings, release, people[who], "x")
            expected = stands[release] != "withdrawn"
            stands[release] = "withdrawn"
        refusals += not expected
        assert done == expected, (seed, step, who, what, release)
        assert {each: state(at.settings, each) for each in stands} == stands, (seed, step)
    kinds = [entry["kind"] for entry in ledger.entries(at.settings)]
    assert kinds.count("release-step-refusal") == refusals, seed


def test_a_random_walk_over_reidentifications_goes_as_a_plain_model_says(office: Office) -> None:
    seed = secrets.randbits(40)
    draw = random.Random(seed)
    permit = PERMIT.format(clause=CLAUSE.replace("max_persons = 3", "max_persons = 999"))
    office.settings.write_definition("permits", "care", permit)
    now, refusals = NOW, 0
    signed: dict[str, list[str]] = {}
    ends, delivered = {}, set()
    accounts = {"Anna": "anna", "Bo": "bo", "Carla": "carla", "Dan": "dan"}
    enter(office.settings, Signatory("Dan", "dan", make_pair(office.key("Dan"), "sign"), ("approver",)))
    for step in range(45):
        now += timedelta(hours=draw.choice([0, 1, 20]))
        who, what = draw.choice(list(accounts)), draw.choice(["ask", "approve", "approve", "deliver"])
        named = draw.choice([*signed, ""])
        desk = office.desk(accounts[who], now)
        if what == "ask" or not named:
            given = {"clause": "7 a", "reason": "own-patients", "recipient": "Ward 4"}
            end = now + timedelta(days=2)
            key, persons = office.key(who), office.pseudonyms[:1]
            done, made = allowed(desk.ask, who, key, "care", persons, **given, expires=end)
            expected = who in ("Anna", "Carla")
            if done:
                signed[made.id], ends[made.id] = [who], end
        elif what == "approve":
            done, _ = allowed(desk.approve, named, who, office.key(who))
            expected = who not in signed[named] and now < ends[named] and named not in delivered
            signed[named] += [who] if expected else []
        else:
            done, _ = allowed(desk.deliver, named, office.folder / f"answer{step}")
            expected = len(signed[named]) >= 3 and now < ends[named] and named not in delivered
            delivered |= {named} if expected else set()
        refusals += not expected
        assert done == expected, (seed, step, who, what, named)
        for each, names in signed.items():
            late = now >= ends[each]
            model = "delivered" if each in delivered else "expired" if late else ""
            model = model or ("asked", "waiting", "approved")[min(len(names) - 1, 2)]
            stands = reidentification_request.PROCEDURE.state(office.settings, each, now, ends[each])
            assert stands == model, (seed, step)
    assert sum(event["event"].endswith(": refused") for event in office.events()) == refusals, seed


def second_entry(settings: Settings, of: str, shared: str, key: Path) -> Signatory:
    """A forged register in which somebody has a second name, with the same account or the same key."""
    first = signatories(settings)[of]
    entry = Signatory("Second", "second-account", make_pair(key, "sign"), ("approver",))
    entry = replace(entry, **{shared: getattr(first, shared)})
    listed = json.loads(register_file(settings).read_text())
    register_file(settings).write_text(json.dumps([*listed, asdict(entry)]))
    return entry


@pytest.mark.parametrize("shared", ["account", "key"])
def test_one_person_under_two_names_is_refused_by_both_desks(
    at: Desk, office: Office, shared: str, tmp_path: Path
) -> None:
    key = tmp_path / "second.pem"
    entry = second_entry(at.settings, "anna", shared, key)
    release = request(at.settings, at.run, at.anna, purpose="p", recipient="r")
    own = at.anna.key if shared == "key" else key
    with pytest.raises(PermissionRefused, match="second person"):
        review(at.settings, release.id, Actor("Second", own, entry.account), approve=True, reason="")
    other = tmp_path / "other.pem"
    entry = second_entry(office.settings, "Anna", shared, other)
    asked = office.ask()
    own = office.key("Anna") if shared == "key" else other
    with pytest.raises(PermissionRefused, match="already, as Anna"):
        office.desk(entry.account).approve(asked.id, "Second", own)
    assert state(at.settings, release.id) == "requested"
    assert not [event for event in office.events() if event["event"] == "approved"]


@pytest.mark.parametrize("procedure", BOTH)
@pytest.mark.parametrize("shared", ["account", "key"])
def test_signatures_of_one_person_under_two_names_do_not_suffice(
    office: Office, procedure: Procedure, shared: str, tmp_path: Path
) -> None:
    entry = second_entry(office.settings, "Anna", shared, tmp_path / "second.pem")
    own = office.key("Anna") if shared == "key" else tmp_path / "second.pem"
    known = signatories(office.settings)
    keys = {"Anna": office.key("Anna"), "Bo": office.key("Bo"), "Carla": office.key("Carla"), "Second": own}
    word = {name: SignedText(name, b"text", sign(keys[name], known[name], b"text")) for name in keys}
    assert entry.name in word
    fault = procedure.signature_fault
    assert not fault(office.settings, word["Anna"], [word["Bo"], word["Carla"]])
    assert "does not hold" in fault(office.settings, word["Anna"], [word["Bo"], word["Second"]])
    assert "does not hold" in fault(office.settings, word["Anna"], [replace(word["Bo"], text=b"other")])
    assert fault(office.settings, word["Anna"], []) == f"0 of {procedure.approvals} approvals are there"


def test_a_refusal_is_recorded_without_a_persons_number(at: Desk) -> None:
    release = request(at.settings, at.run, at.anna, purpose="p", recipient="r")
    for name in ("010190-1234", "anna"):
        with pytest.raises(PermissionRefused):
            review(at.settings, release.id, replace(at.anna, name=name), approve=True, reason="")
    bodies = [e["body"] for e in ledger.entries(at.settings) if e["kind"] == "release-step-refusal"]
    assert [body["by"] for body in bodies] == ["withheld", "anna"]
    assert bodies[0]["why"] == "withheld" and bodies[1]["why"] == "'anna' is no approver."
    assert {body["step"] for body in bodies} == {"release-approval"}
    assert state(at.settings, release.id) == "requested"
    ledger.verify(at.settings)


def test_of_two_reviews_at_once_one_counts(at: Desk, tmp_path: Path) -> None:
    key = tmp_path / "carl.pem"
    enter(at.settings, Signatory("carl", "carl-account", make_pair(key, "sign"), ("approver",)))
    carl = Actor("carl", key, "carl-account")
    release = request(at.settings, at.run, at.anna, purpose="p", recipient="r").id
    with ThreadPoolExecutor(2) as pool:
        yes = pool.submit(allowed, review, at.settings, release, at.bo, approve=True, reason="")
        no = pool.submit(allowed, review, at.settings, release, carl, approve=False, reason="x")
    assert yes.result()[0] != no.result()[0]
    assert state(at.settings, release) == ("approved" if yes.result()[0] else "rejected")


def test_entries_that_do_not_follow_from_one_another_let_nothing_out(at: Desk, tmp_path: Path) -> None:
    release = request(at.settings, at.run, at.anna, purpose="p", recipient="r").id
    review(at.settings, release, at.bo, approve=False, reason="no")
    ledger.append(at.settings, "release-approval", {"release": release, "review": "ab" * 32, "by": "bo"})
    assert state(at.settings, release) == OUT_OF_ORDER
    with pytest.raises(PermissionRefused, match="is out of order"):
        export(at.settings, release, tmp_path / "out")
    withdraw(at.settings, release, at.anna, "its record is not in order")
    assert state(at.settings, release) == "withdrawn"


def test_an_approval_that_never_came_into_the_ledger_is_given_again(office: Office) -> None:
    """Killed between the file and the ledger: the signature is there, the step is not."""
    asked = office.ask()
    message, known = asked.message(), signatories(office.settings)
    signed = {**asked.signatures, "Bo": sign(office.key("Bo"), known["Bo"], message)}
    office.desk().write(replace(asked, signatures=signed))
    office.approve(asked, "Carla")
    with pytest.raises(PermissionRefused, match="is waiting"):
        office.deliver(asked)
    office.approve(asked, "Bo")
    with pytest.raises(PermissionRefused, match="already, as Bo"):
        office.approve(asked, "Bo")
    assert office.deliver(asked).is_file()


def test_what_the_ledger_says_was_delivered_is_not_delivered_again(office: Office) -> None:
    asked = office.approved()
    office.deliver(asked)
    office.desk().write(replace(office.desk().read(asked.id), state="open"))
    with pytest.raises(PermissionRefused, match="delivered already"):
        office.deliver(asked, "again")
