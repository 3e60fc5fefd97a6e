"""Permits and studies as files: what is accepted, what is refused, and that one content has one hash."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import ConfigurationError, DataError, PermissionRefused
from lakehouse.governance.permit_model import ColumnUse, Permit, checked
from lakehouse.governance.permits import grant_all, load_permit, load_study
from lakehouse.settings import Settings
from lakehouse.tables import GOLD

BASE: dict[str, Any] = {
    "permit_id": "p",
    "title": "A permit",
    "legal_basis": "46(2)",
    "authority": "the Region",
    "valid_from": date(2025, 1, 1),
    "valid_to": date(2025, 12, 31),
    "responsible": "A. Researcher",
    "users": ["anna"],
    "purpose": "Research",
    "tables": {
        "gold.event": {"direct": ["day", "code"], "filter_only": ["place"], "join_only": ["person_id"]}
    },
}


def permit(**changes: Any) -> Permit:
    return checked(Permit, {**BASE, **changes}, "here.toml")


def lake(settings: Settings, kind: str) -> None:
    settings.lake.mkdir(parents=True)
    (settings.lake / "lake.toml").write_text(f'kind = "{kind}"\n')


def test_uses__say_how_far_a_column_goes() -> None:
    assert permit().uses("gold.event") == {
        "day": ColumnUse.DIRECT,
        "code": ColumnUse.DIRECT,
        "place": ColumnUse.FILTER_ONLY,
        "person_id": ColumnUse.JOIN_ONLY,
    }
    assert permit().uses("gold.spell") == {}


def test_missing__names_everything_at_once() -> None:
    wanted = {"gold.event": ["day", "unit", "cost_dkk"], "gold.spell": ["hours"]}
    assert permit().missing(wanted) == ["gold.event.unit", "gold.event.cost_dkk", "gold.spell"]


def test_hash__of_one_content_whatever_the_order() -> None:
    turned = {"gold.event": {"join_only": ["person_id"], "direct": ["code", "day"], "filter_only": ["place"]}}
    assert permit(tables=turned).hash == permit().hash
    assert permit(purpose="Other research").hash != permit().hash
    assert len(permit().hash) == 64


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"legal_basis": "47"}, "legal_basis"),
        ({"valid_to": date(2024, 1, 1)}, "after valid_to"),
        ({"users": []}, "users"),
        ({"min_cell": 3}, "min_cell"),
        ({"tables": {"gold.nothing": {"direct": ["day"]}}}, "there is no table gold.nothing"),
        ({"tables": {"gold.event": {"direct": ["dya"]}}}, "gold.event has no column dya"),
        ({"tables": {"gold.event": {"direct": ["day"], "filter_only": ["day"]}}}, "more than once"),
        ({"tables": {"gold.event": {}}}, "grants no column"),
        ({"tables": {}}, "tables"),
        ({"period": {"from": date(2025, 2, 1), "to": date(2025, 1, 1)}}, "begins 2025-02-01"),
        ({"operations": ["sell"]}, "operations"),
        ({"pemrit": 1}, "pemrit"),
    ],
)
def test_wrong_permit__is_refused_by_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        permit(**change)
    assert named in str(refused.value)
    assert "here.toml" in refused.value.what and refused.value.next_step.startswith("Correct ")


def test_wrong_permit__names_all_fields_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        permit(min_cell=1, users=[], legal_basis="x")
    assert all(field in refused.value.next_step for field in ("min_cell", "users", "legal_basis"))


def test_validity__both_ends_included() -> None:
    days = [date(2024, 12, 31), date(2025, 1, 1), date(2025, 12, 31), date(2026, 1, 1)]
    assert [permit().valid_on(day) for day in days] == [False, True, True, False]


def test_users__star_is_everyone() -> None:
    assert permit().names("anna") and not permit().names("eve")
    assert permit(users=["*"]).names("eve")


def test_file_name_and_id__must_agree(settings: Settings) -> None:
    lake(settings, "synthetic")
    permit_file, study_file = grant_all(settings, "demo")
    permit_file.rename(permit_file.with_name("other.toml"))
    study_file.rename(study_file.with_name("other.toml"))
    with pytest.raises(ConfigurationError, match="calls itself 'demo'"):
        load_permit(settings, "other")
    with pytest.raises(ConfigurationError, match="calls itself 'demo'"):
        load_study(settings, "other")


@pytest.mark.parametrize("kind", ["synthetic", "foreign"])
def test_grant_all__over_every_gold_table(settings: Settings, kind: str) -> None:
    lake(settings, kind)
    written = grant_all(settings, "demo", today=date(2025, 6, 1))
    made = load_permit(settings, "demo")
    assert all(path.is_file() for path in written)
    assert {table: set(made.uses(table)) for table in GOLD} == {
        name: set(table.column_names) for name, table in GOLD.items()
    }
    assert made.period.open and made.users == ("*",)
    assert (made.valid_from, made.valid_to) == (date(2025, 6, 1), date(2026, 6, 1))
    assert load_study(settings, "demo").permit == "demo"


def test_grant_all__refused_on_real_persons(settings: Settings) -> None:
    lake(settings, "real")
    with pytest.raises(PermissionRefused, match="holds real persons"):
        grant_all(settings, "demo")
    assert not (settings.home / "conf").exists()


def test_grant_all__refused_where_nobody_said_what_the_persons_are(settings: Settings) -> None:
    with pytest.raises(DataError, match=r"lake\.toml"):
        grant_all(settings, "demo")


def test_grant_all__for_one_account(settings: Settings) -> None:
    lake(settings, "synthetic")
    grant_all(settings, "demo", actor='o"brien')
    assert load_permit(settings, "demo").users == ('o"brien',)


def test_examples__are_valid_and_say_what_the_readme_of_a_permit_says(settings: Settings) -> None:
    made = load_permit(settings, "example")
    assert made.min_cell == 10 and not made.period.open
    assert load_study(settings, "example").permit == "example"
    text = Path("conf/permits/example.toml").read_text(encoding="utf-8")
    assert set(tomllib.loads(text)) <= set(Permit.model_fields)
