"""Exports: MEDS in and out loses nothing, OMOP is what the model asks for, and our own exports come back the same."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq
import pytest

from lakehouse.delivery.register import lake_kind
from lakehouse.errors import DataError, PermissionRefused
from lakehouse.exports.omop_tables import TABLES
from lakehouse.exports.run import export_lake
from lakehouse.ingest.run import ingest
from lakehouse.lake import Lake
from lakehouse.settings import Settings, load_settings
from tests.spark.test_ingest import FILES
from tests.support.deliveries import write_delivery, write_meds

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CDM_TYPES = {"i": "INTEGER", "n": "DOUBLE", "d": "DATE", "t": "TIMESTAMP"}


@pytest.fixture(scope="module")
def danish(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("danish")
    settings = load_settings(root / "home", "test")
    ingest(Lake(spark, settings), write_delivery(root / "out", FILES))
    return settings


def event_codes(spark: SparkSession, settings: Settings, *, but: tuple[str, ...] = ()) -> Counter[str]:
    event = spark.read.format("delta").load(str(settings.lake / "gold" / "event"))
    person = spark.read.format("delta").load(str(settings.lake / "gold" / "person"))
    rows = (
        event.join(person.where("birth_year IS NOT NULL").select("person_id"), "person_id")
        .where("status IN ('active', 'open')")
        .where(~event["domain"].isin([*but, ""]))
        .select("code")
        .collect()
    )
    return Counter(row["code"] for row in rows)


def subjects(root: Path) -> Counter[frozenset[tuple[tuple[object, ...], int]]]:
    """The rows of each subject as a multiset, without the subject's number."""
    rows: dict[int, Counter[tuple[object, ...]]] = {}
    for path in (root / "data").rglob("*.parquet"):
        table = pq.read_table(path)
        names = [
            name for name in ("time", "code", "numeric_value", "text_value") if name in table.column_names
        ]
        for row in table.to_pylist():
            key = tuple(row.get(name) for name in ("time", "code", "numeric_value", "text_value"))
            rows.setdefault(row["subject_id"], Counter())[key] += 1
        assert names
    return Counter(frozenset(each.items()) for each in rows.values())


def test_meds_in_and_out_loses_nothing_and_passes_their_own_checks(
    spark: SparkSession, tmp_path: Path
) -> None:
    from meds import CodeMetadataSchema, DataSchema, DatasetMetadataSchema, SubjectSplitSchema

    numbers = random.Random()
    events = [(subject, "1960-01-01T00:00:00", "MEDS_BIRTH", None) for subject in range(40)]
    events += [(subject, None, f"GENDER//{numbers.choice('FM')}", None) for subject in range(40)]
    events += [(subject, None, "ETHNICITY//x", None) for subject in range(9)]
    events += [
        (
            numbers.randrange(40),
            f"20{numbers.randint(10, 24)}-01-{numbers.randint(1, 28):02d}T{numbers.randint(0, 23):02d}:30:00",
            numbers.choice(("ICD10//I21", "NPU//x y//H", "plain", "Lægemiddel//æ")),
            numbers.choice((None, 1.1, -3.0, 1e9)),
        )
        for _ in range(400)
    ]
    root = write_meds(tmp_path / "in", events)
    settings = load_settings(tmp_path / "home", "test")
    ingest(Lake(spark, settings), root)
    out = tmp_path / "out"
    counts = export_lake(Lake(spark, settings), "meds", out)
    assert sum(counts.values()) == len(events)
    assert subjects(out) == subjects(root)
    for path in (out / "data").rglob("*.parquet"):
        table = pq.read_table(path)
        DataSchema.validate(table)
        ids = table.column("subject_id").to_pylist()
        assert len(set(ids)) == sum(1 for a, b in zip([None, *ids], ids, strict=False) if a != b), (
            "a subject is split"
        )
    SubjectSplitSchema.validate(pq.read_table(out / "metadata" / "subject_splits.parquet"))
    CodeMetadataSchema.validate(pq.read_table(out / "metadata" / "codes.parquet"))
    import json

    DatasetMetadataSchema.validate(json.loads((out / "metadata" / "dataset.json").read_text()))
    with pytest.raises(DataError, match="there already"):
        export_lake(Lake(spark, settings), "meds", out)


def test_omop_loads_in_another_tool_and_comes_back_with_the_same_counts(
    spark: SparkSession, danish: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "cdm"
    counts = export_lake(Lake(spark, danish), "omop", out)
    with duckdb.connect() as tool:
        for table, columns in TABLES.items():
            given = ", ".join(
                f"{each.name} {CDM_TYPES.get(each.type, 'VARCHAR')} {'NOT NULL' if each.required else ''}"
                for each in columns
            )
            tool.execute(f"CREATE TABLE {table} ({given})")
            tool.execute(f"INSERT INTO {table} SELECT * FROM read_parquet('{out / table}.parquet')")
            assert tool.execute(f"SELECT count(*) FROM {table}").fetchone() == (counts[table],)
        orphans = "SELECT count(*) FROM condition_occurrence LEFT JOIN {0} USING ({1}) WHERE {0}.{1} IS NULL"
        assert tool.execute(orphans.format("person", "person_id")).fetchone() == (0,)
        unknown = "SELECT count(*) FROM measurement WHERE measurement_concept_id NOT IN (SELECT concept_id FROM concept)"
        assert tool.execute(unknown).fetchone() == (0,)
    home = load_settings(tmp_path / "home", "test")
    summary = ingest(Lake(spark, home), out)
    assert all(entry.balanced and not entry.rows_quarantine for entry in summary.files)
    apart = ("contact", "visit", "death")
    assert event_codes(spark, home, but=apart) == event_codes(spark, danish, but=apart)
    assert summary.gold["gold.person"] == counts["person"]


def test_a_danish_lake_as_meds_comes_back_with_the_same_codes(
    spark: SparkSession, danish: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "meds"
    export_lake(Lake(spark, danish), "meds", out)
    home = load_settings(tmp_path / "home", "test")
    ingest(Lake(spark, home), out)
    expected = event_codes(spark, danish)
    expected["MEDS_DEATH"] = expected.pop("CPR//DEATH", 0)
    assert event_codes(spark, home) == +expected


def test_a_real_lake_is_never_exported_as_a_whole(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(tmp_path / "home", "test")
    with pytest.raises(DataError, match="There is no lake"):
        export_lake(Lake(spark, settings), "omop", tmp_path / "x")
    settings.lake.mkdir(parents=True)
    (settings.lake / "lake.toml").write_text('kind = "real"\n')
    assert lake_kind(settings) == "real"
    with pytest.raises(PermissionRefused, match="--study"):
        export_lake(Lake(spark, settings), "meds", tmp_path / "x")
    assert not (tmp_path / "x").exists()
