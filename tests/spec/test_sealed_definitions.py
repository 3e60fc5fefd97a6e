"""Definitions of a sealed run: the sandbox sees those of home and project, and what a job says it used is held outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.sealed.definitions import copy_definitions, used_inside
from lakehouse.definitions import load
from lakehouse.errors import DataError, UsageError
from lakehouse.governance.permits.files import study_text
from lakehouse.governance.permits.study_definition import StudyDefinition
from lakehouse.ingest.delivery_definition import DeliveryThresholds
from lakehouse.settings import Settings, conf_dir, load_settings
from lakehouse.study.extract import extract_folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with a study that was changed after its extract was cut."""
    made = load_settings(tmp_path / "home", "test")
    made.lake.mkdir(parents=True)
    (made.lake / "lake.toml").write_text('kind = "synthetic"\n')
    made.write_definition("studies", "demo", study_text("demo").replace("seed = 1", "seed = 2"))
    sealed = extract_folder(made, "demo") / "conf" / "studies"
    sealed.mkdir(parents=True)
    (sealed / "demo.toml").write_text(study_text("demo"))
    return made


def test_the_study_counts_as_it_lies_in_the_extract(settings: Settings) -> None:
    outside = load(settings, StudyDefinition, "demo").hash
    ((name, digest),) = used_inside(settings, "demo", {}).items()
    assert name == "studies/demo@1" and digest != outside
    assert used_inside(settings, "demo", {name: "whatever the job says"}) == {name: digest}


def test_what_a_sealed_job_says_it_used_is_computed_again(settings: Settings) -> None:
    made = load(settings, DeliveryThresholds, "default")
    assert used_inside(settings, "demo", {made.name: made.hash})[made.name] == made.hash
    for name, digest in ((made.name, "0" * 64), ("delivery/default@2", made.hash)):
        with pytest.raises(DataError, match="another content"):
            used_inside(settings, "demo", {name: digest})
    with pytest.raises(UsageError, match="There is no family 'delivry'"):
        used_inside(settings, "demo", {"delivry/default@1": made.hash})


def test_the_sandbox_gets_every_family_and_the_homes_own_file_outranks_the_projects(
    settings: Settings, tmp_path: Path
) -> None:
    text = (conf_dir() / "delivery" / "default.toml").read_text("utf-8").replace("version = 1", "version = 5")
    settings.write_definition("delivery", "default", text)
    copy_definitions(settings, tmp_path / "conf")
    assert {each.name for each in (tmp_path / "conf").iterdir()} >= {"codelists", "delivery"}
    assert not {"permits", "studies", "spark", "profiles"} & {
        each.name for each in (tmp_path / "conf").iterdir()
    }
    assert "version = 5" in (tmp_path / "conf" / "delivery" / "default.toml").read_text("utf-8")
    assert (tmp_path / "conf" / "delivery" / "organisations.toml").is_file()
