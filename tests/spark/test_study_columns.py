"""Columns by use, and conditions, as read from Spark's own plans, against what a reader of the query would say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.governance.access.counting import any_of
from lakehouse.governance.observers.observations import ObservedQuery
from lakehouse.governance.permits.model import ColumnUse
from lakehouse.governance.plans.lineage import Role
from lakehouse.study.session import Study
from tests.support.small_lake import DAY0
from tests.support.study_lab import Lab

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@pytest.fixture(scope="module")
def study(lab: Lab) -> Iterator[Study]:
    """One open study for all queries; each test looks at the last one observed."""
    with lab.open() as opened:
        for table in ("event", "person", "timeline", "vocabulary"):
            opened.table(f"gold.{table}").createOrReplaceTempView(table)
        yield opened


def last_seen(study: Study) -> ObservedQuery:
    """The newest query, after Spark has delivered it."""
    hub = study._observer._hub
    assert hub is not None and hub.drain() is None
    assert not study._observer.seen.faults
    return study._observer.seen.queries[-1]


def uses(seen: ObservedQuery) -> dict[str, str]:
    """``direct | filter | join`` columns of each table, in one line a table."""
    tables: dict[str, dict[Role, set[str]]] = {}
    for used in seen.use.study_tables:
        roles = tables.setdefault(used.table.removeprefix("gold."), {role: set() for role in Role})
        for column, found in used.roles.items():
            for role in found:
                roles[role].add(column)
    return {
        table: " | ".join(" ".join(sorted(roles[role])) for role in Role) for table, roles in tables.items()
    }


@dataclass(frozen=True)
class Hand:
    """A query and what a careful reader says it uses of each table: direct | filter | join."""

    sql: str
    event: str = ""
    person: str = ""
    timeline: str = ""
    vocabulary: str = ""

    def told(self) -> dict[str, str]:
        names = ("event", "person", "timeline", "vocabulary")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


QUERIES = [
    Hand("SELECT code FROM event", "code |  | "),
    Hand("SELECT count(*) FROM event", " |  | "),
    Hand("SELECT count(*) FROM event WHERE day > 17800", " | day | "),
    Hand("SELECT count(code) FROM event", "code |  | "),
    Hand("SELECT max(day) FROM event WHERE code = 'ICD10//A'", "day | code | "),
    Hand("SELECT code, count(*) FROM event GROUP BY code", "code |  | code"),
    Hand("SELECT count(*) FROM event GROUP BY code", " |  | code"),
    Hand("SELECT code FROM event GROUP BY code HAVING count(*) > 3", "code |  | code"),
    Hand("SELECT code FROM event GROUP BY code HAVING max(value_num) > 3", "code | value_num | code"),
    Hand("SELECT code FROM event ORDER BY day LIMIT 3", "code |  | day"),
    Hand("SELECT DISTINCT code FROM event", "code |  | code"),
    Hand("SELECT count(DISTINCT person_id) FROM event", "person_id |  | "),
    Hand("SELECT day + 1 AS d FROM event WHERE value_num * 2 > 4", "day | value_num | "),
    Hand("SELECT d FROM (SELECT day AS d, code AS c FROM event)", "day |  | "),
    Hand("SELECT d FROM (SELECT day AS d, code AS c FROM event) WHERE c = 'x'", "day | code | "),
    Hand("SELECT * EXCEPT (encounter_id, domain) FROM event", "code day person_id value_num |  | "),
    Hand(
        "SELECT e.code, p.sex FROM event e JOIN person p ON e.person_id = p.person_id",
        "code |  | person_id",
        "sex |  | person_id",
    ),
    Hand(
        "SELECT e.code FROM event e LEFT JOIN person p USING (person_id) WHERE p.sex = 'F'",
        "code |  | person_id",
        " | sex | person_id",
    ),
    Hand(
        "SELECT code FROM event LEFT SEMI JOIN person USING (person_id)",
        "code |  | person_id",
        " |  | person_id",
    ),
    Hand(
        "SELECT code FROM event e WHERE EXISTS (SELECT 1 FROM person p WHERE p.person_id = e.person_id)",
        "code | person_id | ",
        " | person_id | ",
    ),
    Hand(
        "SELECT code FROM event WHERE person_id IN (SELECT person_id FROM person WHERE birth_year > 1960)",
        "code | person_id | ",
        " | birth_year person_id | ",
    ),
    Hand("SELECT code FROM event WHERE day > (SELECT avg(day) FROM event)", "code | day | "),
    Hand("WITH a AS (SELECT day, code FROM event WHERE value_num > 1) SELECT day FROM a", "day | value_num | "),
    Hand(
        "WITH a AS (SELECT person_id, day FROM event) SELECT x.day FROM a x JOIN a y ON x.person_id = y.person_id",
        "day |  | person_id",
    ),
    Hand(
        "SELECT a.code FROM event a JOIN event b ON a.person_id = b.person_id AND a.day < b.day",
        "code |  | day person_id",
    ),
    Hand(
        "SELECT code, row_number() OVER (PARTITION BY person_id ORDER BY day) AS n FROM event",
        "code |  | day person_id",
    ),
    Hand(
        "SELECT code FROM (SELECT code, lag(day) OVER (PARTITION BY person_id ORDER BY day) AS l FROM event) "
        "WHERE l IS NULL",
        "code | day | day person_id",
    ),
    Hand("SELECT explode(code) AS c FROM timeline", timeline="code |  | "),
    Hand("SELECT sex FROM timeline WHERE array_contains(code, 3)", timeline="sex | code | "),
    Hand("SELECT count(*) FROM timeline LATERAL VIEW explode(day) AS d WHERE d > 17800", timeline=" | day | "),
    Hand("SELECT code FROM event UNION ALL SELECT code FROM vocabulary", "code |  | ", vocabulary="code |  | "),
    Hand("SELECT code FROM event INTERSECT SELECT code FROM vocabulary", "code |  | code", vocabulary=" |  | code"),
    Hand("SELECT code FROM vocabulary EXCEPT SELECT code FROM event", " |  | code", vocabulary="code |  | code"),
    Hand("SELECT domain, code, count(*) FROM event GROUP BY ROLLUP (domain, code)", "code domain |  | code domain"),
    Hand("SELECT if(day > 3, code, domain) AS x FROM event", "code day domain |  | "),
    Hand("SELECT code FROM event TABLESAMPLE (50 PERCENT)", "code |  | "),
    Hand("SELECT code FROM event DISTRIBUTE BY person_id", "code |  | person_id"),
    Hand("SELECT sum(value_num) FILTER (WHERE day > 3) AS x FROM event", "day value_num |  | "),
    Hand("SELECT v.code_id FROM timeline t JOIN vocabulary v ON array_contains(t.code, v.code_id)",
         timeline=" |  | code", vocabulary="code_id |  | code_id"),
    Hand("SELECT * FROM (SELECT person_id, domain, day FROM event) PIVOT (max(day) FOR domain IN ('diagnosis'))",
         "day domain person_id |  | domain person_id"),
]  # fmt: skip


@pytest.mark.parametrize("hand", QUERIES, ids=lambda hand: hand.sql[:70])
def test_columns__as_a_reader_would_say(study: Study, hand: Hand) -> None:
    study._spark.sql(hand.sql).collect()
    assert uses(last_seen(study)) == hand.told()


def in_pandas(frame: DataFrame) -> Any:
    return frame.select("day", "code").mapInPandas(lambda parts: parts, "day int, code string").count()


def by_group(frame: DataFrame) -> Any:
    chosen = frame.select("person_id", "day")
    return chosen.groupBy("person_id").applyInPandas(lambda part: part.head(1), chosen.schema).count()


def user_function(frame: DataFrame) -> Any:
    from pyspark.sql import functions as fn

    later = fn.udf(lambda day, code: day > 3 and bool(code), "boolean")
    return frame.filter(later("day", "code")).select("domain").collect()


def without_duplicates(frame: DataFrame) -> Any:
    return frame.select("person_id", "code", "day").dropDuplicates(["person_id"]).select("day").collect()


def described(frame: DataFrame) -> Any:
    return frame.select("day").describe().collect()


FRAMES: list[tuple[Callable[[DataFrame], Any], str]] = [
    (in_pandas, "code day |  | "),
    (by_group, "day person_id |  | person_id"),
    (user_function, "domain | code day | "),
    (without_duplicates, "day |  | person_id"),
    (described, "day |  | "),
]


@pytest.mark.parametrize(("work", "told"), FRAMES, ids=lambda each: getattr(each, "__name__", ""))
def test_columns__of_frames(study: Study, work: Callable[[DataFrame], Any], told: str) -> None:
    work(study._spark.table("event"))
    assert uses(last_seen(study)) == {"event": told}


PREDICATES = [
    f"day = {DAY0 + 300}",
    f"day > {DAY0 + 300} AND day <= {DAY0 + 600}",
    f"day BETWEEN {DAY0 + 200} AND {DAY0 + 400}",
    f"NOT (day < {DAY0 + 500})",
    "code IN ('ICD10//A', 'ICD10//J')",
    "code = 'ICD10//A' OR value_num >= 9",
    "code LIKE '%//B'",
    "code LIKE 'ICD10////B' ESCAPE '/'",
    "startswith(code, 'ICD10//C')",
    "substring(code, 8, 1) = 'D'",
    "code IS NOT NULL AND domain <> 'medicine'",
    "value_num IS NULL",
    "value_num > 2.5",
    "value_num + 1 = 4",
    "value_num / 2 >= 1.5",
    "value_num % 2 = 1",
    "cast(value_num AS int) = 3",
    "upper(domain) = 'MEDICINE'",
    "length(code) = 8",
    "coalesce(value_num, 0) < 2",
    "code = 'it''s' OR code = 'a\\\\b' OR day = 17632",
    "abs(value_num - 5) <= 1",
    "domain <=> 'medicine'",
    "true",
    f"(day > {DAY0 + 300} AND rand() >= 0)",
]


@pytest.mark.parametrize("predicate", PREDICATES)
def test_condition__counts_the_rows_that_spark_selects(lab: Lab, study: Study, predicate: str) -> None:
    uses = study.permit.uses("gold.event")
    frame = study.table("gold.event", [name for name, use in uses.items() if use is ColumnUse.DIRECT])
    selected = frame.filter(predicate).count()
    used = last_seen(study).use.study_tables[0]
    condition = any_of([tuple(used.conditions)])
    counted = frame.count() if condition is None else frame.where(condition).count()
    if used.conditions:
        assert counted == selected
    else:
        assert predicate == "true" or "ESCAPE" in predicate


def test_condition__above_a_limit_or_an_aggregate_does_not_narrow(study: Study) -> None:
    for query in (
        "SELECT * FROM (SELECT day FROM event LIMIT 5) WHERE day > 17800",
        "SELECT * FROM (SELECT max(day) AS d FROM event GROUP BY code) WHERE d > 17800",
        "SELECT * FROM (SELECT day, row_number() OVER (ORDER BY day) AS n FROM event) WHERE day > 17800",
    ):
        study._spark.sql(query).collect()
        assert last_seen(study).use.study_tables[0].conditions == []


def test_condition__narrows_through_renames_and_inner_joins(study: Study) -> None:
    study._spark.sql(
        "SELECT * FROM (SELECT day AS d, year(date_from_unix_date(day)) AS y, person_id FROM event) e "
        "JOIN person p USING (person_id) WHERE d > 17800 AND sex = 'F'"
    ).collect()
    conditions = {used.table: used.conditions for used in last_seen(study).use.study_tables}
    assert conditions == {"gold.event": ["(`day` > 17800)"], "gold.person": ["(`sex` = 'F')"]}
