"""What is a contact is told by the domain that a source declares, and a contact is never tested as an exposure."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

import numpy as np
import pytest

from experiments.analyses.pairs.scan import PairScan, scan
from experiments.analyses.trajectories.scan import Steps, find_trajectories
from experiments.execution.codes import MinedCodes
from experiments.kernels.design import PairScanSettings
from experiments.kernels.passes import OverPersons
from lakehouse.declarations.schema import Source
from lakehouse.sources import eoj, gp, omop, sssy
from lakehouse.sources.meds import CONTACT
from tests.support.visits_world import VISITS, mined, visits_world

HORIZON = 60


def contacts_of(words: Sequence[tuple[str, str]], level: str = "full") -> set[str]:
    codes = mined(words, level)
    return {codes.names[number] for number in codes.contacts}


@pytest.mark.parametrize(
    ("code", "domain", "is_contact"),
    [
        ("LPR//ADMISSION", "contact", True),
        ("LPR//EMERGENCY", "contact", True),
        ("GP//KONS", "contact", True),
        ("EOJ//ENCOUNTER", "contact", True),
        ("SSSY//800101", "primary_care", True),
        ("Visit//9201", "contact", True),
        ("Visit//IP", "visit", True),
        ("HOSPITAL_ADMISSION//EW EMER.//EMERGENCY ROOM", "contact", True),
        ("NOBODY-HAS-SEEN//7", "contact", True),
        ("LPR//ADMISSION", "procedure", False),
        ("ICD10//I21", "diagnosis", False),
        ("SNOMED//22298006", "condition", False),
        ("LAB//50931//mg/dL", "event", False),
        ("NOBODY-HAS-SEEN//7", "a-new-domain", False),
        ("CPR//DEATH", "death", False),
    ],
)
def test_the_domain_tells_and_not_the_code(code: str, domain: str, is_contact: bool) -> None:
    words = [("A//1", "diagnosis"), (code, domain), ("Z//1", "medicine")]
    assert contacts_of(words) == ({code} if is_contact else set())


def test_a_rolled_up_code_is_a_contact_as_soon_as_one_of_its_codes_is() -> None:
    words = [("SKS//AAAA1", "procedure"), ("SKS//AAAA2", "contact"), ("SKS//BBBB1", "procedure")]
    assert contacts_of(words, "sks-4") == {"SKS//AAAA"}


def domains_of(source: Source, table: str) -> set[str]:
    """Domains a source declares for a table's events, as SQL."""
    return {event.columns["domain"] for each in source.tables if each.name == table for event in each.events}


def test_sources_declare_their_contacts() -> None:
    assert domains_of(omop.SOURCE, "omop_visit_occurrence") == {"'contact'"}
    assert "'contact'" in domains_of(gp.SOURCE, "gp_contact")
    assert domains_of(eoj.SOURCE, "eoj_encounters") == {"'contact'"}
    assert {event.columns["domain"] for each in sssy.SOURCE.tables for event in each.events} == {
        "'primary_care'"
    }


@pytest.mark.parametrize(
    ("code", "is_contact"),
    [
        ("HOSPITAL_ADMISSION//URGENT//TRANSFER FROM HOSPITAL", True),
        ("HOSPITAL_DISCHARGE//HOME", True),
        ("ICU_ADMISSION//Medical Intensive Care Unit (MICU)", True),
        ("ED_REGISTRATION", True),
        ("ED_OUT", True),
        ("TRANSFER_TO//admit//Medicine", True),
        ("TRANSFER", True),
        ("Visit/IP", True),
        ("VISIT//9201", True),
        ("LPR//ADMISSION", True),
        ("GP//KONS", True),
        ("SSSY//800101", True),
        ("EOJ//ENCOUNTER", True),
        ("GP//LISTED", False),
        ("TRANSFERRIN//mg/dL", False),
        ("TRANSFUSION//PLATELETS", False),
        ("LAB//ADMISSION", False),
        ("ICD10//I219", False),
        ("A", False),
    ],
)
def test_codes_of_meds_that_are_contacts(code: str, is_contact: bool) -> None:
    assert (re.search(CONTACT, code.upper()) is not None) == is_contact


def begins_with_a_visit(found: PairScan, codes: MinedCodes, column: str) -> int:
    """Number of pairs whose first code is a visit, among those for which ``column`` holds."""
    table = found.table
    first = np.isin(np.asarray(table.column("code_a")), [codes.names.index(name) for name in VISITS])
    return int((first & np.asarray(table.column(column))).sum())


def test_no_pair_that_begins_with_a_visit_is_tested_where_nothing_has_an_effect() -> None:
    people, codes = visits_world(secrets.randbelow(2**31))
    settings = PairScanSettings(len(codes.names), horizon_days=HORIZON)
    found = scan(OverPersons(people), settings, contacts=codes.contacts)
    without = scan(OverPersons(people), settings)
    assert begins_with_a_visit(without, codes, "called") > 30, "the world has to show what the rule is for"
    assert begins_with_a_visit(found, codes, "tested") == begins_with_a_visit(found, codes, "called") == 0
    assert begins_with_a_visit(found, codes, "tested") < begins_with_a_visit(without, codes, "tested")
    for name in ("code_a", "code_b", "n_a", "n_b", "O", "E", "V", "z"):
        assert found.table.column(name).equals(without.table.column(name)), name
    ends = np.isin(np.asarray(found.table.column("code_b")), codes.contacts)
    tested = np.asarray(found.table.column("tested"))
    ordinary = ~np.isin(np.asarray(found.table.column("code_a")), codes.contacts)
    assert tested[ends & ordinary].all() and (ends & ordinary).any()


def test_no_trajectory_goes_on_from_a_visit() -> None:
    people, codes = visits_world(secrets.randbelow(2**31))
    settings = PairScanSettings(len(codes.names), horizon_days=HORIZON)
    wanted = Steps(support=5, min_persons=5)
    found = find_trajectories(OverPersons(people), settings, wanted, contacts=codes.contacts)
    without = find_trajectories(OverPersons(people), settings, wanted)
    assert begins_with_a_visit(without.pairs, codes, "called") > 30 and without.links > found.links
    assert begins_with_a_visit(found.pairs, codes, "called") == 0
