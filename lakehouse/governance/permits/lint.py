"""What a permit lacks or gets wrong in the light of the rules it rests on; material for a check, no legal advice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from lakehouse.data_model import GOLD
from lakehouse.governance.permits.model import NOT_REAL, Permit
from lakehouse.governance.permits.parts import Operation, Sensitivity

EEA = {
    *(
        "AT",
        "BE",
        "BG",
        "HR",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HU",
        "IE",
        "IS",
        "IT",
        "LI",
    ),
    *("LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"),
}


@dataclass(frozen=True)
class Fault:
    """One thing found: an error blocks a lake of real persons, a warning does not; ``rule`` is where it comes from."""

    field: str
    what: str
    rule: str
    error: bool = True

    def __str__(self) -> str:
        return f"{'error  ' if self.error else 'warning'} {self.field}: {self.what} ({self.rule})"


Rule = Callable[[Permit, date], Iterator[Fault]]
RULES: list[Rule] = []


def rule(check: Rule) -> Rule:
    """Enter a rule into the list."""
    RULES.append(check)
    return check


def lint(permit: Permit, today: date) -> list[Fault]:
    """All faults of a permit, errors first."""
    if permit.legal_basis == NOT_REAL:
        return []
    found = [fault for check in RULES for fault in check(permit, today)]
    return sorted(found, key=lambda fault: not fault.error)


@rule
def record_of_processing(permit: Permit, today: date) -> Iterator[Fault]:
    """What an Art. 30 record needs must stand in the permit."""
    needed = {
        "controller": permit.controller,
        "dpo": permit.dpo,
        "case_number": permit.case_number,
        "decision_date": permit.decision_date,
        "delete_by": permit.delete_by,
        "recipients": permit.recipients,
    }
    for field, value in needed.items():
        if not value:
            yield Fault(field, "is missing", "GDPR Art. 30(1)")


@rule
def concrete_project(permit: Permit, today: date) -> Iterator[Fault]:
    """Disclosure for research is for a concrete project of substantial public interest."""
    if permit.legal_basis in ("46(2)", "10") and not permit.public_interest:
        yield Fault("public_interest", "is missing", "Sundhedsloven § 46(2), Databeskyttelsesloven § 10(1)")
    if permit.legal_basis == "46(1)" and not permit.ethics_id:
        yield Fault("ethics_id", "is missing", "Sundhedsloven § 46(1)")
    if not permit.why_not_anonymous:
        yield Fault("why_not_anonymous", "is missing", "GDPR Art. 89, EHDS Art. 66", error=False)


@rule
def purpose_is_locked(permit: Permit, today: date) -> Iterator[Fault]:
    """The basis and the purpose must agree; data of § 10 serve no other purpose later."""
    fits = {
        "47(1)": ("statistics", "planning"),
        "42d": ("quality", "planning"),
        "10": ("research", "statistics"),
    }
    allowed = fits.get(permit.legal_basis, ("research",))
    if permit.legal_basis != "43" and permit.purpose_code not in allowed:
        yield Fault(
            "purpose_code",
            f"'{permit.purpose_code}' does not go with § {permit.legal_basis}",
            "purpose limitation",
        )
    if permit.legal_basis == "47(1)" and permit.reidentification:
        yield Fault(
            "reidentification", "statistics and planning never return to a case", "Sundhedsloven § 47(1)"
        )


@rule
def quality_work(permit: Permit, today: date) -> Iterator[Fault]:
    """Quality work sees its own site's data of the last five years."""
    if permit.legal_basis != "42d":
        return
    if permit.history_years is None or permit.history_years > 5:
        yield Fault("history_years", "must be at most 5", "Sundhedsloven § 42d(2)(2)")
    for table in ("gold.event", "gold.spell"):
        if table in permit.tables and "place" not in permit.tables[table].rows:
            yield Fault(f"tables.{table}.rows", "names no place", "Sundhedsloven § 42d(2)(2)")
    if "gold.timeline" in permit.tables:
        yield Fault("tables.gold.timeline", "cannot be narrowed to one site", "Sundhedsloven § 42d(2)(2)")


@rule
def leaving_the_country(permit: Permit, today: date) -> Iterator[Fault]:
    """Data that leave the law's territory, or go to a journal, need a permission of their own."""
    if outside := sorted(set(permit.countries) - EEA):
        yield Fault(
            "countries",
            f"{', '.join(outside)}: permission of the supervisory authority",
            "Databeskyttelsesloven § 10(3)",
        )
    if permit.journal_microdata:
        yield Fault("journal_microdata", "publishing rows is not supported", "Databeskyttelsesloven § 10(3)")


@rule
def impact_assessment(permit: Permit, today: date) -> Iterator[Fault]:
    """Large-scale health data need an assessment, a fresh one, and consultation where the risk stays high."""
    if permit.dpia is None:
        yield Fault("dpia", "is missing", "GDPR Art. 35")
        return
    if (today - permit.dpia.date).days > 3 * 365:
        yield Fault("dpia", f"is of {permit.dpia.date}, more than three years old", "GDPR Art. 35(11)")
    if permit.dpia.residual_risk == "high" and not permit.dpia.consulted:
        yield Fault("dpia", "leaves a high risk without prior consultation", "GDPR Art. 36")


@rule
def minimisation(permit: Permit, today: date) -> Iterator[Fault]:
    """Every column has a reason; identifying ones, free text and genomes have one of their own."""
    for name, grant in permit.tables.items():
        kinds = {column.name: column.identifying for column in GOLD[name].columns}
        for column in grant.uses:
            where = f"tables.{name}.{column}"
            kind = grant.sensitivity.get(
                column, Sensitivity.IDENTIFYING if kinds[column] else Sensitivity.ORDINARY
            )
            if not grant.because(column):
                yield Fault(where, "has no justification", "GDPR Art. 5(1)(c)")
            if (
                kind is Sensitivity.IDENTIFYING
                and column not in grant.justification
                and column != "person_id"
            ):
                yield Fault(
                    where,
                    "tells persons apart and has no justification of its own",
                    "GDPR Art. 5(1)(c)",
                    error=False,
                )
            if kind is Sensitivity.FREE_TEXT and not permit.free_text:
                yield Fault(where, "is free text, which free_text does not allow", "GDPR Art. 25")
            if kind is Sensitivity.BIOINFORMATIC and not (permit.ethics_id and permit.incidental_findings):
                yield Fault(where, "needs ethics_id and a plan for incidental findings", "Komitéloven")


@rule
def ends(permit: Permit, today: date) -> Iterator[Fault]:
    """Nothing is kept or open for ever."""
    if "*" in permit.users:
        yield Fault("users", "names everybody", "Sundhedsloven § 46; GDPR Art. 32")
    if permit.delete_by and permit.delete_by < permit.valid_to:
        yield Fault("delete_by", "comes before valid_to", "GDPR Art. 5(1)(e)")
    if permit.opt_outs is None:
        yield Fault("opt_outs", "no list is named", "EHDS Art. 71", error=False)
    if Operation.EXPORT in permit.operations and permit.publish_by is None:
        yield Fault("publish_by", "no date", "EHDS Art. 61(4)", error=False)
    for condition in permit.conditions:
        if not condition.check:
            yield Fault(
                "conditions",
                f"'{condition.text[:60]}' is held by people, no control",
                "the permit",
                error=False,
            )
