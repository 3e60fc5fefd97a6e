"""Definitions at the command line and under signature: listed, checked, signed, and held where persons are real."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from experiments.cli import app, define
from lakehouse.definitions import Definition, load
from lakehouse.errors import ConfigurationError, PermissionRefused
from lakehouse.governance.approvals.definition_signatures import (
    add_signature,
    require_signed,
    signature_files,
    unsigned,
    valid_signatures,
)
from lakehouse.governance.ledger.signing import make_key, public_key
from lakehouse.governance.permits.files import grant_all, load_study
from lakehouse.governance.permits.study_definition import StudyDefinition
from lakehouse.settings import Settings, load_settings


@dataclass(frozen=True)
class DeskRule:
    """A family that decides about persons, which two persons must sign."""

    family: ClassVar[str] = "desk"
    signed: ClassVar[int] = 2
    days: int


RULE = 'id = "a"\nversion = 1\ntitle = { da = "Regel", en = "Rule" }\ndays = 30\n'
OLD_STUDY = 'id = "old"\npermit = "demo"\nseed = 7\n\n[parameters.mine_pairs]\nhorizon_days = 30\n'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with a rule, and two keys that the data unit trusts."""
    made = load_settings(tmp_path / "home", "test")
    made.write_definition("desk", "a", RULE)
    made.keys.mkdir(parents=True)
    lines = []
    for who in ("anna", "bent"):
        key = make_key(tmp_path / f"{who}.key")
        lines.append(f'[{who}]\nkey = "{public_key(key).hex()}"\nrole = "data_unit"\n')
    (made.keys / "signers.toml").write_text("".join(lines))
    return made


def rule(settings: Settings) -> Definition[DeskRule]:
    return load(settings, DeskRule, "a")


def sign(settings: Settings, tmp_path: Path, key: str, name: str, role: str = "data_unit") -> None:
    add_signature(settings, rule(settings), tmp_path / f"{key}.key", name, role)


def test_a_signed_family_needs_its_signatures_where_persons_are_real(
    settings: Settings, tmp_path: Path
) -> None:
    require_signed(settings, rule(settings), real=False)
    with pytest.raises(PermissionRefused, match=r"desk/a@1 carries 0 of 2 valid signatures"):
        require_signed(settings, rule(settings), real=True)
    sign(settings, tmp_path, "anna", "Anna")
    with pytest.raises(PermissionRefused, match=r"1 of 2"):
        require_signed(settings, rule(settings), real=True)
    sign(settings, tmp_path, "bent", "Bent")
    require_signed(settings, rule(settings), real=True)


def test_one_person_who_signs_twice_is_one(settings: Settings, tmp_path: Path) -> None:
    sign(settings, tmp_path, "anna", "Anna")
    sign(settings, tmp_path, "anna", "Somebody")
    assert len(valid_signatures(settings, rule(settings))) == 1
    sign(settings, tmp_path, "bent", "SOMEBODY")
    assert "1 of 2" in unsigned(settings, rule(settings))


@pytest.mark.parametrize(
    ("old", "new"), [("days = 30", "days = 31"), ("version = 1", "version = 2"), ("Rule", "Ruler")]
)
def test_any_change_of_the_content_takes_the_signatures_force(
    settings: Settings, tmp_path: Path, old: str, new: str
) -> None:
    for key in ("anna", "bent"):
        sign(settings, tmp_path, key, key)
    settings.write_definition("desk", "a", RULE.replace(old, new))
    with pytest.raises(PermissionRefused, match="was changed after it was signed"):
        require_signed(settings, rule(settings), real=True)
    settings.write_definition("desk", "a", "# said otherwise\n" + RULE.replace("days = 30", "days  =  +30"))
    require_signed(settings, rule(settings), real=True)


def test_a_signature_of_a_stranger_of_another_role_or_altered_is_none(
    settings: Settings, tmp_path: Path
) -> None:
    make_key(tmp_path / "eve.key")
    sign(settings, tmp_path, "eve", "Eve")
    sign(settings, tmp_path, "anna", "Anna", "authority")
    assert valid_signatures(settings, rule(settings)) == []
    sign(settings, tmp_path, "bent", "Bent")
    path = signature_files(settings, rule(settings))[0]
    listed = json.loads(path.read_text())
    for field, other in (("name", "Carl"), ("id", "b"), ("family", "risk"), ("time", "2020-01-01")):
        path.write_text(json.dumps([{**listed[-1], field: other}]))
        assert valid_signatures(settings, rule(settings)) == [], field
    path.write_text(json.dumps(listed))
    assert [each.name for each in valid_signatures(settings, rule(settings))] == ["Bent"]
    path.write_text('[{"name": "x"}]')
    with pytest.raises(ConfigurationError, match="holds no signatures"):
        unsigned(settings, rule(settings))


def lake(settings: Settings, kind: str) -> None:
    settings.lake.mkdir(parents=True, exist_ok=True)
    (settings.lake / "lake.toml").write_text(f'kind = "{kind}"\n')


def run(settings: Settings, *words: str) -> tuple[int, str]:
    """Exit code and words of ``patternlake define``."""
    done = CliRunner().invoke(
        app, ["define", *words, "--lake", str(settings.home)], env={"PATTERNLAKE_PROFILE": "test"}
    )
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return getattr(done.exception, "exit_code", 1), f"{done.output}{done.exception}"
    return done.exit_code, done.output


def test_list_names_every_family_and_permits_too(settings: Settings) -> None:
    code, told = run(settings, "list")
    assert code == 0
    for name in ("delivery/default@1", "delivery/organisations@1", "studies/example@1", "permits/example@1"):
        assert name in told
    assert "Thresholds of any delivery" in told
    assert "Grænser for enhver leverance" in run(settings, "list", "delivery", "--lang", "da")[1]
    code, told = run(settings, "list", "studes")
    assert code == 2 and "nearest known one is 'studies'" in told


def test_show_tells_content_and_hash(settings: Settings) -> None:
    code, told = run(settings, "show", "studies", "example")
    made = load(settings, StudyDefinition, "example")
    assert code == 0 and f"hash {made.hash}" in told and '"seed": 20250101' in told and str(made.path) in told
    assert '"use_case": "stroke"' in told
    settings.write_definition("studies", "old", OLD_STUDY)
    assert '"cohort": "all"' in run(settings, "show", "studies", "old")[1], "a default is shown too"
    assert run(settings, "show", "permits", "example")[0] == 2


def test_check_tells_the_faults_of_all_files_and_ends_with_10(settings: Settings) -> None:
    assert run(settings, "check") == (0, "Definitions in order: 3.\n")
    settings.write_definition("studies", "one", 'id = "one"\n')
    settings.write_definition("studies", "two", 'id = "two"\npermit = 1\nsed = 2\n')
    code, told = run(settings, "check")
    assert code == 10 and told.count("FAULTY") == 2 and "2 of 5 definitions cannot be used" in told
    for fault in (
        "permit: is missing",
        "permit: expected text, found 1",
        "sed: there is no such key (the nearest known",
    ):
        assert fault in told
    assert run(settings, "check", "studies", "example")[0] == 0
    assert "faulty" in run(settings, "list", "studies")[1]


def test_sign_and_check_of_a_signed_family(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(define, "known_families", lambda: {"desk": DeskRule})
    code, told = run(settings, "check")
    assert code == 0 and "UNSIGNED desk/a@1 carries 0 of 2" in told
    lake(settings, "real")
    assert run(settings, "check")[0] == 10
    for who in ("anna", "bent"):
        key = str(tmp_path / f"{who}.key")
        code, told = run(settings, "sign", "desk", "a", "--key", key, "--name", who, "--role", "data_unit")
        assert code == 0 and told == f"desk/a@1 {rule(settings).hash} signed by {who} (data_unit)\n"
    assert run(settings, "check") == (0, "Definitions in order: 1.\n")
    assert "signed by anna (data_unit)" in run(settings, "show", "desk", "a")[1]
    assert "  signed  Rule" in run(settings, "list", "desk")[1]


def test_a_study_of_before_definitions_had_versions_is_version_0(settings: Settings) -> None:
    settings.write_definition("studies", "old", OLD_STUDY)
    made = load(settings, StudyDefinition, "old")
    assert (made.version, made.title.da, made.name) == (0, "old", "studies/old@0")
    assert (made.content.seed, made.content.parameters) == (7, {"mine_pairs": {"horizon_days": 30}})
    assert load_study(settings, "old") == made.content


def test_study_new_writes_version_and_title(settings: Settings) -> None:
    lake(settings, "synthetic")
    grant_all(settings, "fresh")
    made = load(settings, StudyDefinition, "fresh")
    assert (made.version, made.title.da, made.title.en) == (1, "Undersøgelsen fresh", "The study fresh")
