"""Gold rebuilt as one: each table in an atomic commit that notes what it was built from, so a killed build resumes."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lakehouse.data_model import GOLD
from lakehouse.delivery.find import all_sources
from lakehouse.delivery.register import Entry, chain_of, current, current_at, versions_file
from lakehouse.delta.log import added_rows, stamp_of
from lakehouse.delta.tables import create_table, rows_of_newest
from lakehouse.delta.write import NewFile, commit_whole
from lakehouse.gold import events, observation_periods, person_tables, persons, places, stays
from lakehouse.gold.current_silver import OUTDATED, OUTDATED_DDL, CurrentFiles, outdated, with_outdated
from lakehouse.gold.timeline import vocabulary
from lakehouse.spark_internals.schemas import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from lakehouse.lake import Lake
    from lakehouse.settings import Settings

FORM = 7
"""Counts up when gold is computed differently, so that lakes are rebuilt by the next ingest.

Hashes of gold of three fixed deliveries stand beside it in ``tests/support/gold_form.json``.
"""
ENCOUNTER, UNLINKED, DEATHS = "silver.encounter", "quarantine.unlinked", "silver.person_facts"
UNLINKED_DDL = "file_id STRING, source_table STRING, row_number BIGINT, reason STRING, example STRING"


class Counter(Protocol):
    """Whoever shows progress."""

    def begin(self, name: str, total: int) -> None:
        """A stage of ``total`` steps."""

    def finish(self, name: str = "") -> None:
        """One step is done."""


@dataclass(frozen=True)
class BuildSummary:
    """Rows by gold table, rows without a person by reason, and persons without a birth year."""

    rows: dict[str, int]
    unlinked: dict[str, int]
    without_birth: int


def state_at(all_entries: Sequence[Entry], day: datetime.date | None = None) -> tuple[CurrentFiles, str]:
    """What gold is built from, by the deliveries up to a day (None: all of them), and the stamp that says so."""
    newest = current_at(all_entries, day) if day else current(all_entries)
    by_key = {entry.key: entry for entry in all_entries}
    tables: dict[str, list[str]] = {}
    rows: dict[str, int] = {}
    gone: dict[str, list[str]] = {}
    delivered: dict[str, dict[str, str]] = {}
    for now, entry in [(last, each) for last in newest for each in chain_of(last, by_key)]:
        if now.key != entry.key and now.delivered:
            delivered.setdefault(entry.source_table, {})[entry.file_id] = now.delivered.isoformat()
        tables.setdefault(entry.source_table, []).append(entry.file_id)
        rows[entry.source_table] = rows.get(entry.source_table, 0) + entry.rows_silver
        if entry.rows_gone:
            gone.setdefault(entry.source_table, []).append(entry.file_id)
    begins = [entry.covers_from for entry in newest if entry.covers_from]
    ends = [entry.covers_to for entry in newest if entry.covers_to]
    covers = (min(begins, default=None), max(ends, default=None))
    described = json.dumps([FORM, tables, rows, [str(day) for day in covers]], sort_keys=True)
    sources = tuple(source for each in all_sources().values() for source in each)
    return CurrentFiles(sources, tables, rows, covers, gone, delivered), hashlib.sha256(
        described.encode()
    ).hexdigest()


@dataclass(frozen=True)
class Builder:
    """Writes tables that do not bear the stamp yet."""

    lake: Lake
    stamp: str
    counter: Counter

    def write(
        self, name: str, frame: Callable[[], DataFrame | None], ddl: str, keep: tuple[str, ...] = ()
    ) -> None:
        """Replace a table by one commit that bears the stamp; a table that bears it already is left alone.

        A table just created has nothing to replace, and appending to it is much less work for Delta.
        """
        path = self.lake.path(name)
        if stamp_of(path) != self.stamp:
            create_table(self.lake.spark, path, ddl, keep)
            rows = frame()
            if rows is None:
                rows = self.lake.spark.createDataFrame([], ddl)
            mode = "append" if self.lake.version(name) == 0 else "overwrite"
            rows.write.format("delta").mode(mode).option("userMetadata", self.stamp).save(str(path))
        self.counter.finish(name)

    def write_gold(self, name: str, frame: Callable[[], DataFrame | None]) -> None:
        """The same for a gold table, as declared."""

        def ordered() -> DataFrame | None:
            rows = frame()
            return None if rows is None else rows.select(*GOLD[name].column_names)

        self.write(name, ordered, GOLD[name].ddl, GOLD[name].keep_statistics)

    def write_files(
        self,
        names: Sequence[str],
        write: Callable[[dict[str, str], dict[str, pa.Schema]], list[NewFile]],
    ) -> None:
        """The same for gold tables whose files workers write, by the tables' folders and schemas; each one commit."""
        lacking = [name for name in names if stamp_of(self.lake.path(name)) != self.stamp]
        for name in lacking:
            create_table(self.lake.spark, self.lake.path(name), GOLD[name].ddl, GOLD[name].keep_statistics)
        if lacking:
            folders = {name: str(self.lake.path(name)) for name in lacking}
            schemas = {name: arrow_schema(GOLD[name].ddl) for name in lacking}
            written = write(folders, schemas)
        for name in lacking:
            commit_whole(self.lake.path(name), written, name, self.stamp, GOLD[name].keep_statistics)
        for name in names:
            self.counter.finish(name)


def build_gold(lake: Lake, all_entries: Sequence[Entry], counter: Counter) -> BuildSummary:
    """Bring gold up to the recorded files; does nothing when it is."""
    now, stamp = state_at(all_entries)
    if not is_built(lake.settings, stamp):
        counter.begin("Building gold", len(GOLD) + 4)
        build(Builder(lake, stamp, counter), now)
        note_versions(lake, stamp, summarise(lake))
    noted = json.loads(versions_file(lake.settings).read_text(encoding="utf-8"))
    return BuildSummary(noted["rows"], noted["unlinked"], noted["without_birth"])


def build(builder: Builder, now: CurrentFiles) -> None:
    """All tables, in the order they need one another."""
    lake = builder.lake
    builder.write(OUTDATED, lambda: outdated(lake, now), OUTDATED_DDL)
    now = events.with_links(lake, with_outdated(lake, now))

    def encounter() -> DataFrame | None:
        found = events.contacts(lake, now)
        return stays.chain(found, now.some_alone) if found is not None else None

    facts_ddl = GOLD["gold.person"].ddl + ", death_code STRING"
    with ThreadPoolExecutor(2) as pool:
        together(
            pool,
            lambda: builder.write(ENCOUNTER, encounter, stays.ENCOUNTER),
            lambda: builder.write(DEATHS, lambda: persons.persons(lake, now), facts_ddl),
        )
        frames = events.lookups(lake, now)
        person = lake.read(DEATHS)
        together(
            pool,
            lambda: builder.write_gold("gold.event", lambda: events.events(lake, now, person, frames)),
            lambda: small_tables(builder, now, person),
        )
        together(
            pool,
            lambda: mining_tables(builder, now, person),
            lambda: write_unlinked(builder, now, frames),
        )


def mining_tables(builder: Builder, now: CurrentFiles, person: DataFrame) -> None:
    """Vocabulary, and what is made of each person's events, from the events as written."""
    lake = builder.lake
    event = lake.read("gold.event")
    rolled = [source.name for source in now.sources if source.levels]
    builder.write_gold(
        "gold.vocabulary",
        lambda: vocabulary(lake, event, places.names(lake, now), rolled),
    )
    size = (rows_of_newest(lake.path("gold.event")), rows_of_newest(lake.path("gold.person")))
    builder.write_files(
        tuple(person_tables.TABLES),
        lambda folders, schemas: person_tables.walked(
            event, lake.read("gold.vocabulary"), person, size, folders, schemas
        ),
    )


def write_unlinked(builder: Builder, now: CurrentFiles, frames: dict[str, DataFrame]) -> None:
    """Rows that found no person. Only tables that gave fewer events than rows are looked through again."""
    lake = builder.lake

    def frame() -> DataFrame | None:
        given = lake.read("gold.event").groupBy("source_table").count().collect()
        found = {row["source_table"]: int(row["count"]) for row in given}
        tables = [table for _, table in now.tables() if any(event.joins for event in table.events)]
        lacking = [
            table.name
            for table in tables
            if len(table.events) > 1 or found.get(table.name, 0) < now.rows[table.name]
        ]
        return events.unlinked(lake, now, frames, lacking)

    builder.write(UNLINKED, frame, UNLINKED_DDL)


def small_tables(builder: Builder, now: CurrentFiles, person: DataFrame) -> None:
    """What is quick to write beside the events."""
    lake = builder.lake
    builder.write_gold("gold.person", lambda: person.drop("death_code"))
    costs = places.stay_costs(lake, now)
    builder.write_gold("gold.spell", lambda: stays.spells(lake.read(ENCOUNTER), costs))
    builder.write_gold("gold.place", lambda: places.places(lake, now))
    builder.write_gold("gold.observation_period", lambda: observation_periods.periods(lake, now, person))


def together(pool: ThreadPoolExecutor, *work: Callable[[], object]) -> None:
    """Run pieces of work side by side; the first failure is raised once all have ended."""
    for future in [pool.submit(piece) for piece in work]:
        future.result()


def is_built(settings: Settings, stamp: str) -> bool:
    """Whether gold was finished from exactly these inputs."""
    path = versions_file(settings)
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["stamp"] == stamp


def summarise(lake: Lake) -> BuildSummary:
    """What was built, from the writers' counts; only what they do not say is counted."""
    rows = {name: added_rows(lake.path(name)) for name in GOLD}
    unlinked: dict[str, int] = {}
    if added_rows(lake.path(UNLINKED)):
        frame = lake.read(UNLINKED)
        unlinked = {row["reason"]: int(row["count"]) for row in frame.groupBy("reason").count().collect()}
    person = lake.read("gold.person")
    without = int(person.where("birth_year IS NULL").count())
    return BuildSummary(rows, dict(sorted(unlinked.items())), without)


def note_versions(lake: Lake, stamp: str, built: BuildSummary) -> None:
    """Note the versions that belong together: the last step, and what readers pin."""
    noted = {
        "stamp": stamp,
        "versions": {name: lake.version(name) for name in GOLD},
        "rows": built.rows,
        "unlinked": built.unlinked,
        "without_birth": built.without_birth,
    }
    path = versions_file(lake.settings)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
