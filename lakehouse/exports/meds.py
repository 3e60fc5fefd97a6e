"""The lake as a MEDS data set: one row an event, births, deaths and sex as codes of their own, a split a person.

What came in as MEDS goes out from silver, row for row, with no value changed; only the subjects have other numbers,
made of their pseudonyms. Everything else goes out from gold: records that are refuted or taken back are left out.
https://github.com/Medical-Event-Data-Standard/meds
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.exports.files import new_folder, write_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

SUBJECT = "CAST(conv(substr(person_id, 3, 15), 16, 10) AS BIGINT)"
"""60 bits of the pseudonym as a positive 64-bit number."""
SPLIT = "CASE WHEN shiftright(CAST(conv(substr(person_id, 3, 3), 16, 10) AS INT), 2) < 512 THEN 'train' ELSE 'held_out' END"
"""The open and the locked half, as in ``gold.timeline.split``."""
VERSION = "0.4"
COLUMNS = ("subject_id", "time", "code", "numeric_value", "text_value")


def data_schema() -> pa.Schema:
    """Columns of the data files."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("subject_id", pa.int64(), False),
            pa.field("time", pa.timestamp("us")),
            pa.field("code", pa.string(), False),
            pa.field("numeric_value", pa.float32()),
            pa.field("text_value", pa.large_string()),
        ]
    )


def gold_rows(person: DataFrame, event: DataFrame) -> DataFrame:
    """Gold in columns of MEDS: static sex, births, deaths, and every record that stands."""
    born = "coalesce(CAST(birth_date AS TIMESTAMP_NTZ), make_timestamp_ntz(CAST(birth_year AS INT), 1, 1, 0, 0, 0))"
    nothing = ("CAST(NULL AS FLOAT) AS numeric_value", "CAST(NULL AS STRING) AS text_value")
    sex = person.where("sex IN ('F', 'M')").selectExpr(
        "person_id", "CAST(NULL AS TIMESTAMP_NTZ) AS time", "concat('SEX//', sex) AS code", *nothing
    )
    births = person.where("birth_year IS NOT NULL").selectExpr(
        "person_id", f"{born} AS time", "'MEDS_BIRTH' AS code", *nothing
    )
    bound = "CASE WHEN value_op IN ('<', '>') THEN concat(value_op, value_num) ELSE value_text END"
    events = event.where("status IN ('active', 'open')").selectExpr(
        "person_id",
        "time_start AS time",
        "CASE WHEN domain = 'death' THEN 'MEDS_DEATH' ELSE code END AS code",
        "CAST(value_num AS FLOAT) AS numeric_value",
        f"{bound} AS text_value",
    )
    return sex.unionByName(births).unionByName(events)


def silver_rows(rows: DataFrame) -> DataFrame:
    """Silver rows of a MEDS data set as they came."""
    return rows.selectExpr(
        "person_id", "time", "code", "CAST(numeric_value AS FLOAT) AS numeric_value", "text_value"
    )


def write_meds(rows: DataFrame, words: DataFrame, out: Path, name: str) -> dict[str, int]:
    """Write the data set and return rows by split; a subject's rows are together and in order of time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    counted: dict[str, int] = {}
    with new_folder(out) as folder:
        placed = rows.selectExpr(f"{SUBJECT} AS subject_id", *COLUMNS[1:], f"{SPLIT} AS split").persist()
        for split in ("train", "held_out"):
            ordered = (
                placed.where(placed["split"] == split)
                .select(*COLUMNS)
                .repartition("subject_id")
                .sortWithinPartitions("subject_id", "time", "code")
            )
            counted[split] = write_rows(ordered, data_schema(), folder / "data" / split / "0.parquet")
        metadata = folder / "metadata"
        metadata.mkdir()
        splits = placed.select("subject_id", "split").distinct().orderBy("subject_id")
        schema = pa.schema([pa.field("subject_id", pa.int64(), False), pa.field("split", pa.string(), False)])
        write_rows(splits, schema, metadata / "subject_splits.parquet")
        placed.unpersist()
        texts = {row["code"]: row["text"] for row in words.select("code", "text").collect()}
        codes = sorted(texts)
        table = pa.table(
            {
                "code": pa.array(codes, pa.string()),
                "description": pa.array([texts[code] for code in codes], pa.string()),
                "parent_codes": pa.array([None] * len(codes), pa.list_(pa.string())),
            }
        )
        pq.write_table(table, metadata / "codes.parquet")
        about = {
            "dataset_name": name,
            "dataset_version": "1",
            "etl_name": "patternlake",
            "meds_version": VERSION,
            "created_at": datetime.datetime.now(datetime.UTC).isoformat(),
        }
        (metadata / "dataset.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return counted
