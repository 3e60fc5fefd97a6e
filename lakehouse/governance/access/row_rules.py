"""A study's row rules on one table: permitted persons, permitted days, and nothing of what lies outside them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.data_model import GOLD
from lakehouse.delta.tables import read_version
from lakehouse.errors import ConfigurationError
from lakehouse.governance.access.pins import check_predicate, pin
from lakehouse.governance.permits.model import Period, Permit
from lakehouse.governance.permits.study_definition import StudyDefinition
from lakehouse.identity.study_pseudonyms import TOKEN_COLUMNS, study_key_file, token_column
from lakehouse.lake import Lake
from lakehouse.settings import Settings, read_toml

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

LAKE_PERSON = "_lake_person"
"""Extra column, seen by the platform alone, by which it counts persons."""

EPOCH = date(1970, 1, 1)

SPANS = {
    "gold.exposure": ("dispensings", "ddd"),
    "gold.course": ("sectors", "last_sector", "contacts", "handovers"),
}
"""Tables of spans that began inside the period, and what is known of a span only at its end."""

OF_THE_PERIOD = {
    "gold.timeline": ("first_day", "last_day", "code", "day", "setting"),
    "gold.event": ("day", "time_end"),
    "gold.spell": ("time_start", "time_end"),
    "gold.observation_period": ("start_day", "end_day"),
    "gold.person": ("birth_date", "death_date"),
    **{table: ("start_day", "end_day", *late) for table, late in SPANS.items()},
}
"""Columns by which :func:`days_only` cuts a table to the period."""


@dataclass(frozen=True)
class RowRules:
    """Everything needed to narrow a table: whose rows, which days, under which pseudonyms.

    ``paths`` and ``versions`` are the pinned tables; ``key_file`` makes the study's key when pseudonyms are
    first asked for; ``opted_out`` is a file with one lake pseudonym a line; ``label`` names the platform's own
    reads of a table, so that other open studies know them for what they are. ``cut`` says that the tables are an
    extract: rows, days and tokens are already the study's.
    """

    permit: Permit
    cohort: str
    paths: dict[str, Path]
    versions: dict[str, int]
    key_file: Callable[[], Path]
    opted_out: Path | None = None
    label: Callable[[str], str] = field(default=str)
    clock: Callable[[], date] = field(default=date.today)
    cut: bool = False
    predicates: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        wanted = [rule for rule in (self.permit.population, self.cohort) if rule.strip().lower() != "all"]
        object.__setattr__(self, "predicates", tuple(wanted))

    def rows_of(self, table: str) -> str | None:
        """The permit's condition on the rows of a table, ``None`` for all rows."""
        grant = self.permit.tables.get(table)
        return None if grant is None or grant.rows.strip().lower() == "all" else grant.rows

    def own_columns(self, table: str) -> frozenset[str]:
        """Columns of a table that the rules themselves read, whatever the permit grants."""
        if self.cut:
            return frozenset()
        names = GOLD[table].column_names
        words = set(re.findall(r"\w+", self.rows_of(table) or ""))
        if table == "gold.person" and not self.everyone:
            words |= {"person_id", *re.findall(r"\w+", " ".join(self.predicates))}
        if not self.everyone:
            words.add("person_id")
        if not self.permit.period_on(self.clock()).open:
            words |= set(OF_THE_PERIOD.get(table, ()))
        return frozenset(words & set(names))

    def list_digest(self) -> str:
        """Digest of the opt-out list as it stands, empty when there is none."""
        return "" if self.opted_out is None else hashlib.sha256(self.opted_out.read_bytes()).hexdigest()

    @property
    def everyone(self) -> bool:
        """Whether no person is left out."""
        return self.cut or (not self.predicates and self.opted_out is None)

    def at(self, table: str, version: int) -> RowRules:
        """The same rules with a table at another version."""
        return replace(self, versions={**self.versions, table: version})

    def read(self, spark: SparkSession, table: str) -> DataFrame:
        """The whole table at its pinned version."""
        return read_version(spark, self.paths[table], self.versions[table])

    def persons(self, spark: SparkSession) -> DataFrame:
        """Lake pseudonyms of the permitted persons, one row each."""
        people = self.read(spark, "gold.person")
        for predicate in self.predicates:
            people = people.where(predicate)
        return self.without_opted_out(spark, people).select("person_id")

    def without_opted_out(self, spark: SparkSession, frame: DataFrame) -> DataFrame:
        """Rows of persons who have not opted out; the list is read anew each time a table is opened."""
        if self.opted_out is None:
            return frame
        from pyspark.sql import functions as fn

        listed = spark.read.text(str(self.opted_out)).select(fn.trim("value").alias("_opted_out"))
        return frame.join(listed, frame["person_id"] == listed["_opted_out"], "left_anti")

    def narrow(
        self, spark: SparkSession, table: str, columns: list[str], *, count: bool = False
    ) -> DataFrame:
        """The rows and columns the study may see, under study pseudonyms.

        With ``count`` the lake pseudonym stays on the frame as ``_lake_person``, for the platform's own use.
        """
        from pyspark.sql import functions as fn

        frame = self.read(spark, table)
        if self.cut:
            there = [name for name in columns if name in frame.columns]
            counted = (
                [frame["person_id"].alias(LAKE_PERSON)] if count and "person_id" in frame.columns else []
            )
            return frame.select(*(frame[name] for name in there), *counted)
        frame = days_only(frame, table, self.permit.period_on(self.clock()))
        if (rows := self.rows_of(table)) is not None:
            frame = frame.where(rows)
        if not self.everyone and "person_id" in GOLD[table].column_names:
            if table == "gold.person":
                for predicate in self.predicates:
                    frame = frame.where(predicate)
                frame = self.without_opted_out(spark, frame)
            else:
                frame = frame.join(self.persons(spark), "person_id", "left_semi")
        chosen: list[Column] = [self.column(name, frame) for name in columns]
        if count and "person_id" in GOLD[table].column_names:
            chosen.append(fn.col("person_id").alias(LAKE_PERSON))
        return frame.select(*chosen)

    def column(self, name: str, frame: DataFrame) -> Column:
        """One column as the study sees it."""
        if name in TOKEN_COLUMNS:
            return token_column(frame[name], self.key_file()).alias(name)
        return frame[name]


def days_only(frame: DataFrame, table: str, period: Period) -> DataFrame:
    """Rows, and parts of rows, inside the period; dates after it that a row carries become null."""
    if period.open:
        return frame
    from pyspark.sql import functions as fn

    first, last = day_number(period.start, -(2**31)), day_number(period.end, 2**31 - 1)
    if table == "gold.timeline":
        return timeline_days(frame, first, last)
    if table == "gold.event":
        after = fn.datediff(fn.to_date("time_end"), fn.lit(EPOCH)) > last
        return frame.where(fn.col("day").between(first, last)).withColumn(
            "time_end", fn.when(after, fn.lit(None)).otherwise(fn.col("time_end"))
        )
    if table == "gold.spell":
        begins, ends = (fn.datediff(fn.to_date(name), fn.lit(EPOCH)) for name in ("time_start", "time_end"))
        return frame.where(begins.between(first, last)).withColumn(
            "time_end", fn.when(ends > last, fn.lit(None)).otherwise(fn.col("time_end"))
        )
    if table == "gold.observation_period":
        overlapping = frame.where((fn.col("end_day") >= first) & (fn.col("start_day") <= last))
        return overlapping.withColumns(
            {
                "start_day": fn.greatest(fn.col("start_day"), fn.lit(first)),
                "end_day": fn.least(fn.col("end_day"), fn.lit(last)),
            }
        )
    if table in SPANS:
        over = fn.col("end_day") > last
        cut = {name: fn.when(~over, fn.col(name)) for name in SPANS[table]}
        begun = frame.where(fn.col("start_day").between(first, last))
        return begun.withColumns({**cut, "end_day": fn.least(fn.col("end_day"), fn.lit(last))})
    if table == "gold.person" and period.end is not None:
        later = fn.col("death_date") > fn.lit(period.end)
        born = fn.lit(period.end) >= fn.col("birth_date")
        return frame.where(born | fn.col("birth_date").isNull()).withColumn(
            "death_date", fn.when(later, fn.lit(None)).otherwise(fn.col("death_date"))
        )
    return frame


def timeline_days(frame: DataFrame, first: int, last: int) -> DataFrame:
    """Timelines with the lists cut to the days ``first`` to ``last``; persons without an event left are gone.

    The lists are sorted by day, so a cut is a slice; it is made only where a person has days outside.
    """
    from pyspark.sql import functions as fn

    before = fn.size(fn.filter("day", lambda day: day < first))
    inside = fn.size(fn.filter("day", lambda day: (day >= first) & (day <= last)))
    whole = (fn.col("first_day") >= first) & (fn.col("last_day") <= last)
    seen = frame.where((fn.col("last_day") >= first) & (fn.col("first_day") <= last)).where(
        whole | (inside > 0)
    )
    lists = {
        name: fn.when(whole, fn.col(name)).otherwise(fn.slice(name, before + 1, inside))
        for name in ("code", "day", "setting")
    }
    cut = seen.withColumns({**{f"_{name}": made for name, made in lists.items()}, "_whole": whole})
    return cut.withColumns(
        {
            **{name: fn.col(f"_{name}") for name in lists},
            "first_day": fn.when(fn.col("_whole"), fn.col("first_day")).otherwise(fn.element_at("_day", 1)),
            "last_day": fn.when(fn.col("_whole"), fn.col("last_day")).otherwise(fn.element_at("_day", -1)),
        }
    )


def day_number(day: date | None, otherwise: int) -> int:
    """Days from 1970-01-01, or the given end of time."""
    return otherwise if day is None else (day - EPOCH).days


def opted_out_file(settings_home: Path, permit: Permit) -> Path | None:
    """Where the permit's opt-out list lies: as given, or under the home's ``conf/permits``.

    Raises :class:`ConfigurationError` where it is missing.
    """
    if permit.opt_outs is None:
        return None
    given = Path(permit.opt_outs)
    path = given if given.is_absolute() else settings_home / "conf" / "permits" / given
    if not path.is_file():
        raise ConfigurationError(
            f"The opt-out list {path} of permit '{permit.permit_id}' is missing.",
            "Without it nobody knows whose data must be left out, so nothing is read.",
            "Put the list there: one lake pseudonym a line; an empty file if nobody has opted out.",
        )
    return path


def row_rules(
    spark: SparkSession,
    settings: Settings,
    definition: StudyDefinition,
    permit: Permit,
    versions: Mapping[str, int],
    label: Callable[[str], str],
    clock: Callable[[], date],
) -> RowRules:
    """The rules of a study over a lake or an extract, its predicates checked and its tables pinned."""
    for predicate in (permit.population, definition.cohort):
        check_predicate(spark, predicate)
    for table, grant in permit.tables.items():
        check_predicate(spark, grant.rows, table)
    pinned = pin(Lake(spark, settings), permit.tables, versions)
    cut = is_extract(settings)
    return RowRules(
        permit,
        definition.cohort,
        {table: path for table, (path, _) in pinned.items()},
        {table: version for table, (_, version) in pinned.items()},
        partial(study_key_file, settings, definition.id),
        None if cut else opted_out_file(settings.home, permit),
        label,
        clock,
        cut,
    )


def is_extract(settings: Settings) -> bool:
    """Whether a lake is itself an extract, whose rows and tokens are already those of its study."""
    path = settings.lake / "lake.toml"
    return path.is_file() and bool(read_toml(path).get("extract", False))
