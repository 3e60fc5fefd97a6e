"""What leaves for authorities and catalogues: the Art. 30 record, the annex with live controls, OpenLineage, the page."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from experiments.report.provenance_page import page
from experiments.sealed.outside import reconcile
from lakehouse.errors import ConfigurationError, PermissionRefused
from lakehouse.governance.ledger import ledger
from lakehouse.governance.observers.event_log import EventLogReads, EventLogScan
from lakehouse.governance.permits.files import EXTRACT_MANIFEST, load_permit
from lakehouse.governance.permits.parts import Period
from lakehouse.governance.permits.processing_record import ART_30, annex, controls, record
from lakehouse.governance.scope.open_lineage import events
from lakehouse.settings import Settings
from lakehouse.study.extract import Extract, extract_folder, manifest, purge, refuse_stale
from tests.governance.test_receipts import issued
from tests.support.pattern_tables import scope_like

TODAY = date(2025, 6, 1)


@pytest.fixture
def home(settings: Settings) -> Settings:
    """A home with the example permit, a real lake and one run."""
    settings.lake.mkdir(parents=True)
    (settings.lake / "lake.toml").write_text('kind = "real"\n')
    settings.write_definition("permits", "example", Path("conf/permits/example.toml").read_text())
    permit = load_permit(settings, "example")
    body = {"run": "r1", "study": "s", "permit": permit.hash, "state": "accounted", "verdict": "checked"}
    ledger.append(settings, "intent", {"run": "r1"})
    ledger.append(settings, "receipt", body)
    return settings


def test_record__has_every_field_of_the_article_and_what_was_done(home: Settings) -> None:
    made = record(home, load_permit(home, "example"))
    assert set(ART_30) <= set(made) and not [
        name for name in ART_30 if made[name] == "NOT GIVEN in the permit"
    ]
    assert made["use"]["runs"] == 1 and made["use"]["outcomes"] == {"checked": 1}
    assert made["categories of personal data"]["tables"]["gold.event"]["join_only"] == ["person_id"]
    json.dumps(made)


def held(home: Settings) -> dict[str, bool]:
    return {each.id: each.held for each in controls(home, load_permit(home, "example"), TODAY)}


def test_annex__shows_controls_as_they_stand(home: Settings) -> None:
    found = held(home)
    assert found["K1"] and found["K2"] and found["K6"] and found["K7"] and found["K8"]
    assert not found["K3"], "nobody signed"
    assert found["K4"] and not found["K9"], "the example is sound and names no opt-out list"
    assert "| K3 |" in annex(home, load_permit(home, "example"), TODAY)


def test_annex__notices_what_goes_wrong(home: Settings) -> None:
    permit = load_permit(home, "example")
    ledger.append(home, "intent", {"run": "killed"})
    (home.keys / "ledger.key").chmod(0o644)
    found = held(home)
    assert not found["K8"] and not found["K6"]
    (home.keys / "ledger.key").chmod(0o600)
    ledger.append(
        home, "receipt", {"run": "sly", "permit": permit.hash, "state": "breach", "verdict": "checked"}
    )
    assert not held(home)["K7"]
    shutil.rmtree(ledger.anchor_places(home)[0])
    assert not held(home)["K2"]
    path = ledger.ledger_path(home)
    path.write_text(path.read_text().replace('"r1"', '"r9"', 1))
    assert not held(home)["K1"]


def test_lineage__fills_the_subset_facet(settings: Settings) -> None:
    receipt = issued(settings) | {
        "started": "2025-06-01T10:00:00+00:00",
        "ended": "2025-06-01T10:01:00+00:00",
    }
    start, end = events(receipt, Period.model_validate({"from": date(2017, 1, 1), "to": date(2024, 12, 31)}))
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE") and start["run"] == end["run"]
    timeline = next(each for each in end["inputs"] if each["name"] == "gold.timeline")
    condition = timeline["inputFacets"]["subset"]["inputCondition"]
    assert condition["operator"] == "AND" and condition["left"]["left"]["field"] == "day"
    assert condition["right"]["right"]["value"] == "2024-12-31"
    assert timeline["facets"]["version"]["datasetVersion"] == "3"
    assert timeline["facets"]["patternlake_scope"]["columns"]["filter"] == ["split"]
    json.dumps(end)


def test_page__says_what_a_model_was_made_from_and_escapes(settings: Settings) -> None:
    receipt = issued(settings) | {"question": "<script>alert(1)</script>"}
    text = page(receipt, {"population": "region = '1083'", "purpose": "Research"}, [])
    assert "gold.timeline" in text and "20,000" in text and "region = &#x27;1083&#x27;" in text
    assert "<script>" not in text and "The receipt is valid" in text
    assert "Not valid: its signature does not hold" in page(receipt, None, ["its signature does not hold"])


def extract(**more: str) -> Extract:
    facts = {"permit_hash": "p", "opt_outs": "o", "valid_to": "2025-05-31", "cohort": "all"} | more
    return Extract(
        study="s", permit="p", versions={}, columns={"gold.event": ["day"]}, made="2025-01-01", reading="r",
        commitment="c", kind="real", **facts,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"), [("permit_hash", "the permit"), ("opt_outs", "opt-out list"), ("cohort", "cohort")]
)
def test_extract__that_something_has_moved_past_is_refused(change: str, told: str) -> None:
    refuse_stale(extract(), "s", "p", "o", "all")
    with pytest.raises(PermissionRefused, match=f"out of date: .*{told}"):
        refuse_stale(extract(**{change: "another"}), "s", "p", "o", "all")


def test_extract__of_an_ended_permit_is_deleted_and_the_deletion_recorded(settings: Settings) -> None:
    folder = extract_folder(settings, "s")
    (folder / "lake").mkdir(parents=True)
    (folder / EXTRACT_MANIFEST).write_text(json.dumps(extract().__dict__))
    assert purge(settings, date(2025, 5, 31)) == [] and manifest(settings, "s") == extract()
    assert purge(settings, date(2025, 6, 1)) == ["s"] and not folder.exists()
    assert [entry["kind"] for entry in ledger.entries(settings)] == ["purge"]
    with pytest.raises(ConfigurationError, match="patternlake study seal s"):
        manifest(settings, "s")


@pytest.mark.parametrize(
    ("path", "columns", "state"),
    [
        ("/sealed/home/lake/gold/event", ("day",), "accounted"),
        ("/sealed/home/lake/gold/event", ("day", "cost_dkk"), "breach"),
        ("/sealed/home/lake/gold/spell", ("hours",), "breach"),
        ("/tmp/own", ("x",), "accounted"),
    ],
)
def test_sealed_scope__is_held_against_the_log_read_outside(
    path: str, columns: tuple[str, ...], state: str
) -> None:
    logged = EventLogReads([EventLogScan(1, (path,), columns, "", 1)], 1)
    found = reconcile(scope_like(), logged, extract())
    assert found["state"] == state and found["assurance"] == "sealed" and found["commitment"] == "c"
