"""Persons in whom one code followed another within a time, by the study's pseudonyms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from experiments.execution.timelines import VOCABULARY, in_words, some_persons, timelines
from experiments.findings import Findings
from experiments.products.named_list import SCHEMA, NamedList
from lakehouse.errors import UsageError
from lakehouse.progress import current

if TYPE_CHECKING:
    from lakehouse.study.session import Study

READS = {"gold.timeline": ["person_id", "code", "day"], "gold.vocabulary": list(VOCABULARY)}
"""Tables and columns the list reads."""


class Params(Protocol):
    """What the list needs to know; a job's own dataclass has these fields."""

    first: str
    then: str
    horizon_days: int
    level: str


def persons_of(study: Study, params: Params) -> Findings:
    """Persons whose first day with ``then`` came 1 to ``horizon_days`` days after their first day with ``first``.

    The day listed is that of ``then``. Raises :class:`UsageError` for a code nobody mines or a horizon under a day,
    :class:`DataError` for a study without timelines.
    """
    if params.horizon_days < 1:
        raise UsageError("horizon_days starts at 1.", "", "Correct --set.")
    opened = timelines(study, params.level, reads=READS)
    first, then = opened.code(params.first, "first"), opened.code(params.then, "then")
    numbers = {
        name: ", ".join(
            str(place) for place, mined in enumerate(opened.codes.code_map.tolist()) if mined == code
        )
        for name, code in (("first", first), ("then", then))
    }
    day_of = (
        "array_min(transform(filter(arrays_zip(code, day), event -> event.code IN ({})), event -> event.day))"
    )
    with current().watch("looking for the pattern's persons", opened.frame.sparkSession):
        persons = opened.frame.count()
        found = (
            opened.frame.selectExpr(
                "person_id", *(f"{day_of.format(ids)} AS {name}" for name, ids in numbers.items())
            )
            .where(f"then - first BETWEEN 1 AND {params.horizon_days}")
            .selectExpr("person_id", "then AS day")
            .toArrow()
        )
    some_persons(persons)
    reason = f"{params.then} within {in_words(params.horizon_days)} after the first {params.first}"
    table = pa.table(
        [found.column(name).cast(SCHEMA.field(name).type) for name in SCHEMA.names], schema=SCHEMA
    )
    return Findings((NamedList(table.sort_by("person_id"), reason),), persons)
