"""Silver as it counts: files of the newest deliveries, rows that have not vanished, and one row of each key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING

from lakehouse.declarations.schema import Source, Table
from lakehouse.delta.log import added_rows
from lakehouse.gold.person_links import relinked

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from lakehouse.lake import Lake

OUTDATED = "silver.outdated"
OUTDATED_DDL = "source_table STRING, file_id STRING, row_number BIGINT"
"""Rows of silver that do not count, found once for all that is built from it."""
FEW = 1_000_000
"""Rows or keys that are sent to every executor rather than sorted with what they are looked for in."""


@dataclass(frozen=True)
class CurrentFiles:
    """The files gold is built from: of several deliveries of one file, the latest.

    ``file_ids`` and ``rows`` in silver by table name, files with those they go on from; ``gone`` are the
    files among them that lost rows of earlier ones, ``delivered`` the day on which rows of earlier files were last
    delivered again; ``covers`` are the first and last day the deliveries say they cover.
    ``links`` are the former and last tokens of persons whose number changed (None: nobody's). ``outdated`` are
    the rows by table name that ``silver.outdated`` says do not count (None: each reading finds them itself).
    """

    sources: tuple[Source, ...]
    file_ids: dict[str, list[str]]
    rows: dict[str, int]
    covers: tuple[datetime.date | None, datetime.date | None]
    gone: dict[str, list[str]] = field(default_factory=dict)
    delivered: dict[str, dict[str, str]] = field(default_factory=dict)
    links: DataFrame | None = None
    outdated: Mapping[str, int] | None = None

    def here(self) -> list[Source]:
        """Sources with at least one current file, less those that another one is delivered instead of."""
        given = [s for s in self.sources if any(table.name in self.file_ids for table in s.tables)]
        out = {name for source in given for name in source.instead_of}
        return [source for source in given if source.name not in out]

    def tables(self) -> list[tuple[Source, Table]]:
        """Tables with at least one current file, of the sources that count."""
        return [
            (source, table)
            for source in self.here()
            for table in source.tables
            if table.name in self.file_ids
        ]

    def superseded(self, table: Table) -> str:
        """SQL for the contacts of a table that another source of the lake has too."""
        names = {source.name for source in self.here()}
        return " OR ".join(f"({sql})" for name, sql in table.unless.items() if name in names) or "false"

    @property
    def some_alone(self) -> bool:
        """Whether some contacts are no part of any stay."""
        declared = [table for _, table in self.tables() if table.contacts]
        return any(self.superseded(t) != "false" or (t.contacts and t.contacts.setting) for t in declared)


def silver_rows(lake: Lake, current: CurrentFiles, table: Table) -> DataFrame:
    """Silver rows of a table as of the newest deliveries: without those that vanished, one row of each key."""
    if current.outdated is None:
        rows = there(lake, current, table)
        rows = latest_of_key(rows, table) if table.key else rows
    else:
        rows = delivered_rows(lake, current, table)
        if out := current.outdated.get(table.name):
            found = lake.read(OUTDATED)
            found = found.where(found["source_table"] == table.name).drop("source_table")
            rows = without_rows(rows, found, out <= FEW)
    return relinked(rows, current.links) if current.links is not None and table.has("person_id") else rows


def delivered_rows(lake: Lake, current: CurrentFiles, table: Table) -> DataFrame:
    """All silver rows of the files that count, under the day they were last delivered on."""
    from pyspark.sql import functions

    rows = lake.read(table.silver, file_id=current.file_ids[table.name])
    if again := current.delivered.get(table.name):
        days = ", ".join(f"'{file_id}', DATE'{day}'" for file_id, day in again.items())
        rows = rows.withColumn("delivered", functions.expr(f"coalesce(map({days})[file_id], delivered)"))
    return rows


def vanished(lake: Lake, current: CurrentFiles, table: Table) -> DataFrame | None:
    """File and number of rows that later deliveries no longer had; None where all are still there."""
    lost = current.gone.get(table.name)
    return tombstones(lake.read(f"gone.{table.name}"), lost) if lost else None


def there(lake: Lake, current: CurrentFiles, table: Table) -> DataFrame:
    """Delivered rows of a table but those that vanished."""
    rows = delivered_rows(lake, current, table)
    lost = vanished(lake, current, table)
    return rows if lost is None else without_rows(rows, lost, few=True)


def outdated(lake: Lake, current: CurrentFiles) -> DataFrame | None:
    """Rows of all tables that do not count, as ``silver.outdated`` holds them; None where every row does.

    A first look at hashes of the keys alone tells which tables have a key twice; usually none has. Where one has,
    only the rows of such keys are put in order.
    """
    tables = [table for _, table in current.tables()]
    keyed = {table.name: there(lake, current, table) for table in tables if table.key}
    counts = hashes_twice(
        {
            table.name: keyed[table.name].selectExpr(f"{key_hash(table)} AS hash")
            for table in tables
            if table.key
        }
    )
    found = []
    for table in tables:
        lost = vanished(lake, current, table)
        parts = [lost] if lost is not None else []
        if twice := counts.get(table.name):
            parts.append(behind(there(lake, current, table), table, twice <= FEW))
        found += [
            part.selectExpr(f"'{table.name}' AS source_table", "file_id", "row_number") for part in parts
        ]
    return union(found)


def union(frames: Sequence[DataFrame]) -> DataFrame | None:
    """All rows of several frames of equal columns; None of none."""
    return reduce(lambda left, right: left.unionByName(right), frames) if frames else None


def hashes_twice(tables: Mapping[str, DataFrame]) -> dict[str, int]:
    """By table, how many values of its ``hash`` more than one row has; tables without any are left out."""
    names = list(tables)
    hashes = union(
        [tables[name].selectExpr(f"CAST({at} AS SMALLINT) AS at", "hash") for at, name in enumerate(names)]
    )
    if hashes is None:
        return {}
    twice = hashes.groupBy("at", "hash").count().where("count > 1").groupBy("at").count().collect()
    return {names[row["at"]]: int(row["count"]) for row in twice}


def with_outdated(lake: Lake, current: CurrentFiles) -> CurrentFiles:
    """The same, with what ``silver.outdated`` says, which must have been written for it."""
    counts = {}
    if added_rows(lake.path(OUTDATED)):
        rows = lake.read(OUTDATED).groupBy("source_table").count().collect()
        counts = {row["source_table"]: int(row["count"]) for row in rows}
    return replace(current, outdated=counts)


def tombstones(gone: DataFrame, lost: Sequence[str]) -> DataFrame:
    """File and number of the rows that the deliveries ``lost`` no longer had."""
    return gone.where(gone["file_id"].isin(list(lost))).selectExpr(
        "gone_file AS file_id", "gone_row AS row_number"
    )


def without_rows(rows: DataFrame, out: DataFrame, few: bool) -> DataFrame:
    """Rows but those named by file and number; ``few`` of them are sent to every executor."""
    from pyspark.sql import functions

    return rows.join(functions.broadcast(out) if few else out, ["file_id", "row_number"], "left_anti")


def latest_of_key(rows: DataFrame, table: Table) -> DataFrame:
    """Of all rows of a key the one of the highest version, else of the latest delivery."""
    return rows.selectExpr("*", f"{rank_of(rows, table)} AS _rank").where("_rank = 1").drop("_rank")


def behind(rows: DataFrame, table: Table, few: bool) -> DataFrame:
    """File and number of the rows that ``latest_of_key`` leaves out; ``few`` keys have more than one row."""
    from pyspark.sql import functions

    hashed = rows.selectExpr("*", f"{key_hash(table)} AS _hash")
    twice = hashed.groupBy("_hash").count().where("count > 1").select("_hash")
    some = hashed.join(functions.broadcast(twice) if few else twice, "_hash", "left_semi")
    ranked = some.selectExpr("file_id", "row_number", f"{rank_of(rows, table)} AS _rank")
    return ranked.where("_rank > 1").drop("_rank")


def rank_of(rows: DataFrame, table: Table) -> str:
    """SQL of a row's place among those of its key, the one that counts first."""
    version = f"{table.version} DESC NULLS LAST, " if table.version else ""
    keys = ", ".join(f"`{name}`" for name in table.key)
    return (
        f"row_number() OVER (PARTITION BY {keys} ORDER BY {version}delivered DESC NULLS LAST, "
        f"{content_of(rows)}, file_id, row_number)"
    )


def key_hash(table: Table) -> str:
    """SQL of a number that rows of one key share; two keys may share one too, which costs time alone."""
    return f"xxhash64({', '.join(f'`{name}`' for name in table.key)})"


def content_of(rows: DataFrame) -> str:
    """SQL of a number that stands for what a row says, wherever it was read: what ties are broken by."""
    said = [f"`{name}`" for name in rows.columns if name not in ("file_id", "row_number", "delivered")]
    return f"xxhash64({', '.join(said)})"
