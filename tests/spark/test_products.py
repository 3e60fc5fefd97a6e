"""Products of every kind from job to MLflow, report and gate: two that are not patterns, and one nobody here thought of."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.findings import Findings
from experiments.job import RunnableJob, job
from experiments.products.base import (
    Audience,
    CheckedProduct,
    PageTable,
    Picture,
    Product,
    ProductKind,
    Section,
    TableColumn,
)
from experiments.products.indicators import EVERYBODY, INDICATORS, Indicators
from experiments.products.named_list import NAMED_LIST, NamedList
from experiments.products.result_hash import table_hash
from lakehouse.errors import UsageError
from lakehouse.governance.output_gate.folder import open_folder
from lakehouse.governance.output_gate.gate import judge
from lakehouse.governance.output_gate.limits_and_verdict import Limits
from lakehouse.governance.permits.files import grant_all
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Thresholds
from lakehouse.settings import Settings, load_settings
from lakehouse.study.session import Study
from tests.spark.test_jobs import load, run
from tests.support.lakes import write_lake
from tests.support.toolbox_world import NAMES, toolbox_world
from tests.support.tracking_store import look_into

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(tmp_path_factory.mktemp("products") / "home", "test")
    write_lake(spark, settings, toolbox_world(seed=7), NAMES)
    grant_all(settings, "demo")
    return settings


def test_a_study_is_described_as_the_plain_count_does(
    lake: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    folder = run(
        load(ROOT / "jobs" / "describe_study.py"), lake, spark, monkeypatch, ["places=false", "level=full"]
    )
    found = INDICATORS.read(folder, "indicators")
    assert isinstance(found, Indicators)
    persons = toolbox_world(seed=7)
    groups: dict[tuple[str, str, str], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for person in range(persons.count):
        born, sex = int(persons.birth_year[person]), {1: "F", 2: "M"}.get(int(persons.sex[person]), "U")
        for at in range(int(persons.offsets[person]), int(persons.offsets[person + 1])):
            day, code = int(persons.days[at]), NAMES[int(persons.codes[at])]
            year = (__import__("datetime").date(1970, 1, 1) + __import__("datetime").timedelta(days=day)).year
            age = (year - born) // 10 * 10
            cuts = {EVERYBODY: EVERYBODY, "year": str(year), "sex": sex, "age": f"{age:02d}-{age + 9:02d}"}
            if year < born:
                cuts["age"] = "unknown"
            for by, value in cuts.items():
                groups[code, by, value][person].add(day)
    expected = {key: (len(each), sum(map(len, each.values()))) for key, each in groups.items()}
    rows = {(r["code"], r["by"], r["value"]): (r["persons"], r["events"]) for r in found.table.to_pylist()}
    assert rows == expected
    assert "codes" in capsys.readouterr().out
    look_into(lake)
    logged = mlflow.get_run(folder.name)
    assert logged.data.tags["product_kind"] == "indicators" and logged.data.metrics["tests"] == 0
    assert "were tested" not in logged.data.tags["mlflow.note.content"]
    known = {folder.name, logged.data.tags["scope_digest"], logged.data.tags["permit_hash"]}
    verdict = judge(open_folder(folder / "checked", known).outputs, Limits())
    assert verdict.passed, verdict.findings


def test_a_named_list_is_in_the_study_alone(
    lake: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    listing = load(ROOT / "jobs" / "list_persons.py")
    counts = Counter(toolbox_world(seed=7).codes.tolist())
    first, then = (NAMES[code] for code, _ in counts.most_common(2))
    folder = run(listing, lake, spark, monkeypatch, [f"first={first}", f"then={then}", "level=full"])
    printed = capfd.readouterr()
    made = NAMED_LIST.read(folder, "named_list")
    assert isinstance(made, NamedList) and made.table.num_rows > 20 and made.run_id == folder.name
    tokens = [token.encode() for token in made.table.column("person_id").to_pylist()]
    look_into(lake)
    stored = Path(mlflow.artifacts.download_artifacts(run_id=folder.name))
    shown = [path for path in stored.rglob("*") if path.is_file()]
    shown += [path for path in (folder / "checked").rglob("*") if path.is_file()]
    shown += [folder / "report.html", *(lake.home / "mlflow").glob("*.db*"), *lake.home.rglob("*.jsonl")]
    assert len(shown) > 5
    for path in shown:
        content = path.read_bytes()
        assert not [token for token in tokens if token in content], path
    said = (printed.out + printed.err).encode()
    assert not [token for token in tokens if token in said] and b"for the desk alone" in said
    assert not list((folder / "checked").glob("named_list*"))
    tags = mlflow.get_run(folder.name).data
    assert tags.tags["product_kind"] == "named list" and "shown" not in tags.metrics
    assert str(made.table.num_rows) not in tags.metrics.values()
    with pytest.raises(UsageError, match="No code is mined"):
        run(listing, lake, spark, monkeypatch, [f"first={first}", "then=NOWHERE//X"])


@dataclass(frozen=True)
class FunnelTable(Product):
    """A product nobody here thought of: a rate a hospital with a funnel picture."""

    table: pa.Table

    audience = Audience.AGGREGATE
    name = "funnel"
    kind = "funnel"

    def write(self, folder: Path) -> list[Path]:
        pq.write_table(self.table, folder / "funnel.parquet")
        return [folder / "funnel.parquet"]

    def digest(self) -> str:
        return table_hash(self.table)

    def check(self, thresholds: Thresholds) -> CheckedProduct:
        rows = self.table.to_pylist()
        kept = [row for row in rows if row["n"] >= thresholds.persons]
        table = pa.Table.from_pylist(kept, self.table.schema)
        hidden = len(rows) - len(kept)
        record = DisclosureRecord("funnel", thresholds.persons, len(rows), len(kept), hidden, (), "clean")
        parts = (
            PageTable((TableColumn("Unit"), TableColumn("Persons")), tuple((r["unit"], str(r["n"])) for r in kept)),
            Picture("funnel.png", "Funnel of units", "Each dot is a unit.", picture(kept)),
        )  # fmt: skip
        return CheckedProduct(
            name="funnel", kind="funnel", record=record,
            files={"funnel.parquet": lambda path: pq.write_table(table, path),
                   "figures/funnel.png": lambda path: path.write_bytes(picture(kept))},
            described={"funnel.parquet": {"kind": "counts", "dimensions": ["unit"], "count": "n"}},
            person_columns=("n",), summary=(f"{len(kept)} units were set beside one another.",),
            sections=(Section("funnel", "Units beside one another", parts),), hidden="Units with few persons are left out.",
            limits=("A unit outside the funnel is a question, not an answer.",), metrics={"units": len(kept)},
        )  # fmt: skip


def picture(rows: list[dict[str, Any]]) -> bytes:
    from experiments.presentation.plot_style import canvas

    figure, axes = canvas(4, 3)
    axes.scatter([row["n"] for row in rows], range(len(rows)))
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata={"Software": None})
    return buffer.getvalue()


def read_funnel(folder: Path, name: str) -> FunnelTable:
    return FunnelTable(pq.read_table(folder / f"{name}.parquet"))


FUNNEL = ProductKind(
    "funnel", Audience.AGGREGATE, read_funnel, lambda codes: "one row a unit; nothing is tested"
)


@dataclass(frozen=True)
class FunnelParams:
    """What a researcher may set."""

    level: str = "full"  # level of the vocabulary


@job(use_case="B1", reads={"gold.timeline": ["sex", "code"]}, params=FunnelParams, gives=FUNNEL)
def funnel_of_units(study: Study, params: FunnelParams) -> Findings:
    """Which sexes, taken for units, have how many persons?"""
    counted = study.table("gold.timeline", ["sex", "code"]).groupBy("sex").count().toArrow()
    rows = [{"unit": f"unit {sex}", "n": n} for sex, n in zip(*counted.to_pydict().values(), strict=True)]
    return Findings(
        (FunnelTable(pa.Table.from_pylist([*rows, {"unit": "tiny", "n": 2}])),), sum(r["n"] for r in rows)
    )


def test_a_product_nobody_thought_of_goes_all_the_way(
    lake: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import mlflow

    from lakehouse.governance.approvals import signatories
    from lakehouse.governance.release.package import export, verify
    from lakehouse.governance.release.records import acting
    from lakehouse.governance.release.requests import request, review

    assert isinstance(funnel_of_units, RunnableJob)
    folder = run(funnel_of_units, lake, spark, monkeypatch, [])
    page = (folder / "report.html").read_text("utf-8")
    assert "Units beside one another" in page and "Funnel of units" in page and "tiny" not in page
    assert "is a question, not an answer" in page and "Comparable persons" not in page
    look_into(lake)
    logged = mlflow.get_run(folder.name)
    assert logged.data.metrics["units"] == len(pq.read_table(folder / "checked" / "funnel.parquet"))
    assert logged.data.tags["product_kind"] == "funnel"
    stored = Path(mlflow.artifacts.download_artifacts(run_id=folder.name))
    assert (stored / "figures" / "funnel.png").is_file()
    actors = []
    for name, role in (("anna", "requester"), ("bo", "approver")):
        key = tmp_path / f"{name}.pem"
        public = signatories.make_pair(key, "sign")
        signatories.enter(lake, signatories.Signatory(name, f"{name}-account", public, (role,)))
        actors.append(acting(lake, name, key, f"{name}-account"))
    released = request(lake, folder, actors[0], purpose="a paper", recipient="a journal").id
    review(lake, released, actors[1], approve=True, reason="")
    out = export(lake, released, tmp_path / "out")
    assert "asked for by anna" in verify(out, lake)
    names = {path.name for path in out.rglob("*")}
    assert {"funnel.parquet", "funnel.png", "report.html"} <= names
