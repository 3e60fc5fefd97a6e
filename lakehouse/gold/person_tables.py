"""One walk over each person's events, in workers: timeline, exposure periods and courses of care.

Events pass one shuffle, some thirty bytes each; a worker has all of some persons and writes its files of the three
tables. Persons are numbered by sex, birth year and pseudonym, and a part has those of a range: so timelines lie
clustered by sex and birth year, and are sorted within each file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lakehouse.arrow_text import coded
from lakehouse.codes import TIMELINE_CODE
from lakehouse.delta.write import NewFile, part_files, written_of_parts
from lakehouse.errors import DataError
from lakehouse.gold import courses
from lakehouse.gold import exposure_periods as exposure
from lakehouse.gold import timeline as lines

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

EVENTS_A_PART = 4_000_000
"""At most about as many events are held by a worker: a few hundred MB."""
SENT_PERSONS = 3_000_000
"""So many persons are sent to every executor rather than sorted with the events."""
YEARS = 10_000
"""Birth years have room below a sex in one number."""


def walked(
    event: DataFrame,
    words: DataFrame,
    person: DataFrame,
    size: tuple[int, int],
    folders: Mapping[str, str],
    schemas: Mapping[str, pa.Schema],
) -> list[NewFile]:
    """Write the files of all three tables from ``gold.event``, ``gold.vocabulary`` and the persons, and tell of them.

    ``size`` is how many events and persons there are, ``folders`` and ``schemas`` are the tables' by name. Raises when
    an event is somebody's who is no person.
    """
    from pyspark.sql import functions

    events, persons = size
    cores = event.sparkSession.sparkContext.defaultParallelism
    parts = max(2, cores * 2, -(-events // EVENTS_A_PART))
    numbers = numbered_persons(person)
    rows = event_rows(event, words, numbers, persons <= SENT_PERSONS).unionByName(
        numbers, allowMissingColumns=True
    )
    shuffled = rows.repartitionById(parts, functions.expr(part_of(parts, persons)))
    return written_of_parts(shuffled, partial(walk, dict(folders), dict(schemas)))


def part_of(parts: int, persons: int) -> str:
    """SQL: the part a numbered row belongs to; what has no number goes to the first."""
    return f"CAST(coalesce(least(number * {parts}L DIV {max(persons, 1)}, {parts - 1}), 0) AS INT)"


def numbered_persons(person: DataFrame) -> DataFrame:
    """Persons numbered from 0 by sex, birth year and pseudonym, those of unknown birth year last.

    ``facts`` holds sex and birth year, null where the year is unknown.
    """
    sex = "CASE sex WHEN 'F' THEN 1 WHEN 'M' THEN 2 ELSE 0 END"
    order = f"birth_year IS NULL, {sex}, birth_year, person_id"
    return person.selectExpr(
        f"CAST(row_number() OVER (ORDER BY {order}) - 1 AS INT) AS number",
        "person_id",
        f"CAST({sex} * {YEARS} + birth_year AS INT) AS facts",
    )


def event_rows(event: DataFrame, words: DataFrame, numbers: DataFrame, sent: bool) -> DataFrame:
    """Events that count in any of the tables, in few bytes, under their person's number."""
    from pyspark.sql import functions

    rows = (
        event.where("day IS NOT NULL")
        .selectExpr(
            "person_id AS who",
            "day",
            "setting",
            f"{TIMELINE_CODE} AS word",
            f"CAST({courses.SECTOR} AS TINYINT) AS sector",
            f"{courses.UNTIL} AS until",
            f"CASE WHEN {exposure.FETCHED} THEN code END AS medicine",
            "quantity",
        )
        .where("word IS NOT NULL OR sector IS NOT NULL OR medicine IS NOT NULL")
    )
    known = numbers.selectExpr("number", "person_id AS who")
    return (
        rows.join(functions.broadcast(words.selectExpr("code AS word", "code_id")), "word", "left")
        .join(functions.broadcast(known) if sent else known, "who", "left")
        .selectExpr(
            "number",
            f"{lines.packed('day', 'code_id', 'setting')} AS event",
            "sector",
            "CASE WHEN sector IS NOT NULL THEN until END AS until",
            "medicine",
            "CASE WHEN medicine IS NOT NULL THEN quantity END AS quantity",
        )
    )


@dataclass(frozen=True)
class People:
    """Persons of one part by their number within it: pseudonyms, and sex and birth year (-1 where unknown)."""

    ids: pa.Array
    facts: NDArray[np.int64]

    def named(self, numbers: NDArray[np.int64]) -> pa.Array:
        """Pseudonyms of numbered persons.

        ``numbers`` are positions of persons, [row]; the result has one pseudonym a row.
        """
        import pyarrow as pa

        return self.ids.take(pa.array(numbers))


def walk(folders: Mapping[str, str], schemas: Mapping[str, pa.Schema], rows: pa.Table) -> list[NewFile]:
    """In a worker: write a part's files and tell of them.

    ``rows`` are the part's persons and events, one row each (:func:`numbered_persons`, :func:`event_rows`). Raises
    :class:`DataError` where an event is of somebody who is no person of gold.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    persons = rows.filter(pc.is_valid(rows["person_id"])).sort_by("number")
    events = rows.filter(pc.is_null(rows["person_id"]))
    if events["number"].null_count:
        raise DataError(
            f"{events['number'].null_count} events are of somebody gold.person does not know.",
            "",
            "This is a fault of the platform: please report it with the versions of the lake.",
        )
    people = People(
        persons["person_id"].combine_chunks(),
        persons["facts"].fill_null(-1).to_numpy().astype(np.int64),
    )
    base = persons["number"][0].as_py() if persons.num_rows else 0
    who = events["number"].to_numpy().astype(np.int64) - base
    with part_files(folders) as out:
        for name, schema in schemas.items():
            made = pa.table(TABLES[name](people, who, events))
            out.write(name, made.select(schema.names).cast(schema))
        return out.finish()


def timeline_rows(people: People, who: NDArray[np.int64], events: pa.Table) -> dict[str, Any]:
    """Columns of ``gold.timeline``; persons without a birth year have no row."""
    import pyarrow as pa

    known = people.facts[who] >= 0
    found = lines.timelines(who[known], events["event"].to_numpy()[known])
    ids = people.named(found.person)
    sex, birth_year = np.divmod(people.facts[found.person], YEARS)

    def listed(values: NDArray[np.int64], kind: pa.DataType) -> pa.Array:
        return pa.ListArray.from_arrays(pa.array(found.offsets, pa.int32()), pa.array(values).cast(kind))

    return {
        "person_id": ids,
        "split": pa.array([lines.split_of(each) for each in ids.to_pylist()], pa.int16()),
        "sex": sex,
        "birth_year": birth_year,
        "first_day": found.day[found.offsets[:-1]],
        "last_day": found.day[found.offsets[1:] - 1],
        "code": listed(found.code, pa.int32()),
        "day": listed(found.day, pa.int32()),
        "setting": listed(found.setting, pa.int8()),
    }


def exposure_rows(people: People, who: NDArray[np.int64], events: pa.Table) -> dict[str, Any]:
    """Columns of ``gold.exposure``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fetched = pc.is_valid(events["medicine"])
    rows, taken = events.filter(fetched), fetched.to_numpy()
    names, medicine = coded(rows["medicine"])
    found = exposure.exposure_periods(
        who[taken],
        medicine.to_numpy().astype(np.int64),
        lines.day_of(rows["event"].to_numpy()),
        rows["quantity"].to_numpy(),
    )
    return {
        "person_id": people.named(found.person),
        "code": names.take(pa.array(found.medicine)),
        "start_day": found.start_day,
        "end_day": found.end_day,
        "dispensings": found.dispensings,
        "ddd": found.ddd,
        "model": pa.repeat(exposure.MODEL, len(found.person)),
    }


def course_rows(people: People, who: NDArray[np.int64], events: pa.Table) -> dict[str, Any]:
    """Columns of ``gold.course``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    met = pc.is_valid(events["sector"])
    rows, taken = events.filter(met), met.to_numpy()
    found = courses.courses(
        who[taken],
        rows["sector"].to_numpy().astype(np.int64),
        lines.day_of(rows["event"].to_numpy()),
        rows["until"].to_numpy().astype(np.int64),
    )
    sectors = pa.array(courses.SECTORS)
    together = pa.array([courses.named(each) for each in range(1 << len(sectors))])
    return {
        "person_id": people.named(found.person),
        "start_day": found.start_day,
        "end_day": found.end_day,
        "sectors": together.take(pa.array(found.sectors)),
        "first_sector": sectors.take(pa.array(found.first_sector)),
        "last_sector": sectors.take(pa.array(found.last_sector)),
        "contacts": found.contacts,
        "handovers": found.handovers,
        "model": pa.repeat(courses.MODEL, len(found.person)),
    }


TABLES = {"gold.timeline": timeline_rows, "gold.exposure": exposure_rows, "gold.course": course_rows}
"""What makes the rows of each table."""
