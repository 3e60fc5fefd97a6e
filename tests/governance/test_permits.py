"""Permits and studies as files: what is accepted, what is refused, and that one content has one hash."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lakehouse.data_model import GOLD
from lakehouse.delivery.register import lake_kind
from lakehouse.errors import ConfigurationError, DataError, PermissionRefused, UsageError
from lakehouse.governance.ledger.signing import make_key, public_key
from lakehouse.governance.permits.files import grant_all, load_permit, load_study
from lakehouse.governance.permits.lint import lint
from lakehouse.governance.permits.model import ColumnUse, Permit, checked
from lakehouse.governance.permits.presets import PRESETS, preset_text
from lakehouse.governance.permits.refusals import refuse_unless_open
from lakehouse.governance.permits.signatures import add_signature, require_signature, signature_file
from lakehouse.governance.permits.use import difference, draft, missing_for
from lakehouse.settings import Settings

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


@pytest.mark.parametrize("noted", ["", 'kind = "Synthetic"\n', "kind = 7\n"])
def test_a_lake_of_no_known_kind_is_real(settings: Settings, noted: str) -> None:
    settings.lake.mkdir(parents=True)
    (settings.lake / "lake.toml").write_text(noted)
    assert lake_kind(settings) == "real"
    with pytest.raises(PermissionRefused, match="real persons"):
        grant_all(settings, "explore")


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


def test_history__cuts_the_period_as_the_days_go_by() -> None:
    made = permit(history_years=5, period={"from": date(2010, 1, 1), "to": date(2023, 12, 31)})
    assert made.period_on(date(2025, 6, 1)).start == date(2020, 6, 1)
    assert made.period_on(date(2024, 2, 29)).start == date(2019, 2, 28)
    assert made.period_on(date(2025, 6, 1)).end == date(2023, 12, 31)
    assert permit(history_years=5, period={"from": date(2022, 1, 1)}).period_on(
        date(2025, 6, 1)
    ).start == date(2022, 1, 1)
    with pytest.raises(PermissionRefused, match="leaves no day"):
        refuse_unless_open(permit(history_years=1, period={"to": date(2020, 1, 1)}), "anna", date(2025, 6, 1))


def test_hash__is_not_changed_by_fields_left_at_their_defaults() -> None:
    assert permit(countries=["DK"], outputs={}, free_text=False).hash == permit().hash
    assert permit(countries=["DK", "SE"]).hash != permit().hash


SOUND: dict[str, Any] = {
    **BASE,
    "controller": "the Region", "dpo": "dpo", "case_number": "1", "decision_date": date(2024, 12, 1),
    "delete_by": date(2026, 6, 1), "recipients": ["the group"], "public_interest": "Health", "opt_outs": "o.txt",
    "why_not_anonymous": "Order of events", "dpia": {"id": "D1", "date": date(2024, 11, 1)},
    "tables": {"gold.event": {"direct": ["day", "code"], "join_only": ["person_id"], "why": "What happened"}},
}  # fmt: skip


def faults(**changes: Any) -> list[str]:
    return [fault.field for fault in lint(checked(Permit, {**SOUND, **changes}, "here"), date(2025, 6, 1))]


def test_lint__a_sound_permit_has_no_fault() -> None:
    assert faults() == []


AGAIN = {"clause": "c3", "reasons": ["r"], "max_persons": 1}
QUALITY = {"legal_basis": "42d", "purpose_code": "quality", "history_years": 5}


def grant(table: str, column: str, sensitivity: str = "ordinary") -> dict[str, Any]:
    return {table: {"direct": [column], "why": "x", "sensitivity": {column: sensitivity}}}


SITE = {"gold.event": {"direct": ["day"], "why": "x", "rows": "place = '1'"}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"controller": ""}, "controller"),
        ({"recipients": []}, "recipients"),
        ({"public_interest": ""}, "public_interest"),
        ({"legal_basis": "46(1)"}, "ethics_id"),
        ({"why_not_anonymous": ""}, "why_not_anonymous"),
        ({"purpose_code": "planning"}, "purpose_code"),
        ({"legal_basis": "47(1)", "purpose_code": "statistics", "reidentification": AGAIN}, "reidentification"),
        ({"legal_basis": "42d", "purpose_code": "quality", "tables": SITE}, "history_years"),
        ({"legal_basis": "42d", "purpose_code": "quality", "history_years": 5}, "tables.gold.event.rows"),
        ({**QUALITY, "tables": {**SITE, **grant("gold.timeline", "code")}}, "tables.gold.timeline"),
        ({"countries": ["DK", "US"]}, "countries"),
        ({"journal_microdata": True}, "journal_microdata"),
        ({"dpia": None}, "dpia"),
        ({"dpia": {"id": "D1", "date": date(2020, 1, 1)}}, "dpia"),
        ({"dpia": {"id": "D1", "date": date(2025, 1, 1), "residual_risk": "high"}}, "dpia"),
        ({"tables": {"gold.event": {"direct": ["day"]}}}, "tables.gold.event.day"),
        ({"tables": {"gold.person": {"direct": ["birth_date"], "why": "x"}}}, "tables.gold.person.birth_date"),
        ({"tables": grant("gold.event", "value_text", "free_text")}, "tables.gold.event.value_text"),
        ({"tables": grant("gold.event", "value_num", "bioinformatic")}, "tables.gold.event.value_num"),
        ({"users": ["*"]}, "users"),
        ({"delete_by": date(2025, 6, 1)}, "delete_by"),
        ({"opt_outs": None}, "opt_outs"),
        ({"operations": ["mine", "export"]}, "publish_by"),
        ({"conditions": [{"text": "be careful"}]}, "conditions"),
    ],
)  # fmt: skip
def test_lint__finds(change: dict[str, Any], field: str) -> None:
    assert faults(**change) == [field]


def test_lint__says_nothing_about_data_of_no_real_persons() -> None:
    assert lint(permit(legal_basis="not-real-data"), date(2025, 6, 1)) == []


@pytest.mark.parametrize("name", PRESETS)
def test_preset__is_a_valid_permit_whose_gaps_the_linter_names(name: str) -> None:
    made = checked(Permit, tomllib.loads(preset_text("mine", name, date(2025, 6, 1))), name)
    assert made.legal_basis == PRESETS[name].basis
    found = {fault.field for fault in lint(made, date(2025, 6, 1)) if fault.error}
    assert {"controller", "dpo", "case_number"} <= found
    assert not [field for field in found if field.startswith("tables.")], (
        "grants are justified, sites are named"
    )


def test_preset__unknown_lists_them() -> None:
    with pytest.raises(UsageError, match="quality-42d"):
        preset_text("mine", "nothing", date(2025, 6, 1))


@pytest.fixture
def signed(settings: Settings, tmp_path: Path) -> Settings:
    settings.write_definition(
        "permits", "p", Path("conf/permits/example.toml").read_text().replace('"example"', '"p"', 1)
    )
    key = make_key(tmp_path / "authority.key")
    settings.keys.mkdir(parents=True)
    (settings.keys / "signers.toml").write_text(
        f'[council]\nkey = "{public_key(key).hex()}"\nrole = "authority"\n'
    )
    add_signature(
        settings.definition("permits", "p"), load_permit(settings, "p"), key, "The Council", "authority"
    )
    return settings


def required(settings: Settings) -> None:
    require_signature(settings, load_permit(settings, "p"), settings.definition("permits", "p"))


def test_signature__of_a_trusted_signer_is_enough(signed: Settings) -> None:
    required(signed)


def test_signature__ends_with_any_change_of_the_permit(signed: Settings) -> None:
    path = signed.definition("permits", "p")
    path.write_text(path.read_text().replace("min_cell = 10", "min_cell = 9"))
    with pytest.raises(PermissionRefused, match="changed after it was signed"):
        required(signed)


def test_signature__of_a_stranger_or_in_another_role_is_none(signed: Settings, tmp_path: Path) -> None:
    path = signed.definition("permits", "p")
    stranger = make_key(tmp_path / "stranger.key")
    signature_file(path).unlink()
    add_signature(path, load_permit(signed, "p"), stranger, "The Council", "authority")
    with pytest.raises(PermissionRefused, match="no valid signature"):
        required(signed)
    signature_file(path).unlink()
    add_signature(path, load_permit(signed, "p"), tmp_path / "authority.key", "The Council", "controller")
    with pytest.raises(PermissionRefused, match="no valid signature"):
        required(signed)


def test_signature__cannot_be_taken_over_to_another_name(signed: Settings) -> None:
    path = signature_file(signed.definition("permits", "p"))
    path.write_text(path.read_text().replace("The Council", "Somebody"))
    with pytest.raises(PermissionRefused, match="no valid signature"):
        required(signed)


def test_key__others_can_read_signs_nothing(signed: Settings, tmp_path: Path) -> None:
    (tmp_path / "authority.key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        add_signature(
            signed.definition("permits", "p"),
            load_permit(signed, "p"),
            tmp_path / "authority.key",
            "x",
            "authority",
        )


def test_check__names_everything_missing_at_once_without_a_lake(settings: Settings) -> None:
    narrow = {"gold.timeline": {"direct": ["code", "day"]}}
    wanted = {"gold.timeline": ["code", "sex", "nothing"], "gold.vocabulary": ["code"]}
    told = missing_for(permit(tables=narrow), wanted, ("mine", "train"), "eve", date(2026, 1, 1))
    assert told == [
        "gold.timeline.sex is not granted", "gold.vocabulary is not granted", "gold.timeline.nothing does not exist",
        "the operation 'train' is not granted", "Permit 'p' has expired: it holds from 2025-01-01 to 2025-12-31",
    ]  # fmt: skip
    assert missing_for(permit(), {"gold.event": ["day"]}, ("mine",), "anna", date(2025, 6, 1)) == []


def scope_of(
    direct: list[str], filters: list[str], denials: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    read = {"table": "gold.event", "columns_direct": direct, "columns_filter": filters, "columns_join": []}
    return {"reads": [read], "denials": denials or []}


def test_diff__says_what_to_shrink_and_what_was_wanted() -> None:
    denied = [{"what": "…", "missing": "gold.event.unit, gold.spell"}]
    found = difference(permit(), [scope_of([], ["day"]), scope_of([], ["day", "place"], denied)])
    assert found.unused == ["gold.event.code", "gold.event.person_id"]
    assert found.narrower == {"gold.event.day": ColumnUse.FILTER_ONLY}
    assert found.wanted == {"gold.event.unit": 1, "gold.spell": 1}
    assert found.score == 0.25
    text = draft(permit(case_number="24/1"), found, date(2025, 6, 1))
    assert "sag 24/1" in text and "| `gold.event.unit` | 1 |" in text and "gold.event.code" in text
