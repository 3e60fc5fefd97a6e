"""Sixty more plans with what a careful reader says they use; only planned, as the plan check before an action sees them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakehouse.study.session import Study
from tests.spark.test_study_columns import QUERIES, Hand, uses
from tests.support.study_lab import Lab


@pytest.fixture(scope="module")
def study(lab: Lab) -> Iterator[Study]:
    """One open study for all plans."""
    with lab.open() as opened:
        for table in ("event", "person", "timeline", "vocabulary"):
            opened.table(f"gold.{table}").createOrReplaceTempView(table)
        yield opened


PLANS = [
    Hand("SELECT day, code FROM event WHERE domain = 'medicine' AND day > 3", "code day | day domain | "),
    Hand("SELECT upper(code) FROM event WHERE length(domain) > 3", "code | domain | "),
    Hand("SELECT concat(code, domain) FROM event", "code domain |  | "),
    Hand("SELECT min(day), max(day) FROM event WHERE code LIKE 'A%' OR domain = 'x'", "day | code domain | "),
    Hand("SELECT avg(value_num) FROM event GROUP BY code, domain", "value_num |  | code domain"),
    Hand("SELECT code, avg(value_num) FROM event WHERE day < 9 GROUP BY code", "code value_num | day | code"),
    Hand("SELECT domain FROM event GROUP BY domain ORDER BY domain", "domain |  | domain"),
    Hand("SELECT domain FROM event GROUP BY domain ORDER BY max(day)", "domain |  | day domain"),
    Hand("SELECT day FROM event ORDER BY code, value_num DESC", "day |  | code value_num"),
    Hand("SELECT day FROM (SELECT * FROM event ORDER BY code LIMIT 5)", "day |  | code"),
    Hand("SELECT a.day FROM event a CROSS JOIN event b WHERE a.day > b.value_num", "day | day value_num | "),
    Hand("SELECT a.code FROM event a LEFT ANTI JOIN person b USING (person_id)", "code |  | person_id", " |  | person_id"),
    Hand("SELECT p.sex, e.code FROM person p RIGHT JOIN event e ON p.person_id = e.person_id AND e.day > 3",
         "code |  | day person_id", "sex |  | person_id"),
    Hand("SELECT p.birth_year FROM person p FULL JOIN event e ON p.person_id = e.person_id", " |  | person_id",
         "birth_year |  | person_id"),
    Hand("SELECT p.birth_year, count(*) FROM person p JOIN event e USING (person_id) GROUP BY p.birth_year",
         " |  | person_id", "birth_year |  | birth_year person_id"),
    Hand("SELECT e.code FROM event e JOIN person p ON e.person_id = p.person_id WHERE p.birth_year BETWEEN 1950 AND 1960",
         "code |  | person_id", " | birth_year | person_id"),
    Hand("SELECT code FROM event WHERE person_id NOT IN (SELECT person_id FROM person WHERE sex = 'M')",
         "code | person_id | ", " | person_id sex | "),
    Hand("SELECT code FROM event WHERE NOT EXISTS "
         "(SELECT 1 FROM person p WHERE p.person_id = event.person_id AND p.sex = 'F')",
         "code | person_id | ", " | person_id sex | "),
    Hand("SELECT (SELECT max(birth_year) FROM person) AS y, code FROM event", "code |  | ", "birth_year |  | "),
    Hand("SELECT code FROM event WHERE value_num = (SELECT max(value_num) FROM event)", "code | value_num | "),
    Hand("SELECT sum(day) OVER (PARTITION BY code) AS s FROM event", "day |  | code"),
    Hand("SELECT day, rank() OVER (ORDER BY value_num) AS r FROM event", "day |  | value_num"),
    Hand("SELECT day FROM (SELECT day, rank() OVER (ORDER BY value_num) AS r FROM event) WHERE r = 1",
         "day |  | value_num"),
    Hand("SELECT first(code) OVER (PARTITION BY person_id ORDER BY day) AS f FROM event", "code |  | day person_id"),
    Hand("SELECT code FROM event QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY day) = 1",
         "code |  | day person_id"),
    Hand("SELECT count(*) FROM event WHERE code IS NULL", " | code | "),
    Hand("SELECT count_if(day > 3) FROM event", "day |  | "),
    Hand("SELECT collect_list(code) FROM event GROUP BY person_id", "code |  | person_id"),
    Hand("SELECT max_by(code, day) FROM event", "code day |  | "),
    Hand("SELECT percentile(value_num, 0.5) FROM event WHERE domain = 'x'", "value_num | domain | "),
    Hand("SELECT count(DISTINCT code, domain) FROM event", "code domain |  | "),
    Hand("SELECT approx_count_distinct(person_id) FROM event", "person_id |  | "),
    Hand("SELECT CASE domain WHEN 'x' THEN 1 ELSE 0 END AS c FROM event", "domain |  | "),
    Hand("SELECT coalesce(code, domain) FROM event", "code domain |  | "),
    Hand("SELECT cast(day AS string) FROM event", "day |  | "),
    Hand("SELECT 1 FROM event", " |  | "),
    Hand("SELECT 1 AS one FROM event WHERE day = 3", " | day | "),
    Hand("SELECT rand() FROM event", " |  | "),
    Hand("SELECT hash(person_id) % 10 AS b FROM event", "person_id |  | "),
    Hand("SELECT named_struct('c', code, 'd', day).c AS x FROM event", "code day |  | "),
    Hand("SELECT x.c FROM (SELECT named_struct('c', code, 'd', day) AS x FROM event)", "code day |  | "),
    Hand("SELECT array(code, domain)[0] FROM event", "code domain |  | "),
    Hand("SELECT size(code) FROM timeline", timeline="code |  | "),
    Hand("SELECT person_id FROM timeline WHERE size(code) > 3 AND sex = 1", timeline="person_id | code sex | "),
    Hand("SELECT transform(day, d -> d + 1) FROM timeline", timeline="day |  | "),
    Hand("SELECT filter(code, (c, i) -> day[i] > 3) FROM timeline", timeline="code day |  | "),
    Hand("SELECT exists(code, c -> c = 3) AS e FROM timeline WHERE first_day > 3", timeline="code | first_day | "),
    Hand("SELECT arrays_zip(code, day) FROM timeline", timeline="code day |  | "),
    Hand("SELECT posexplode(code) FROM timeline WHERE birth_year > 1960", timeline="code | birth_year | "),
    Hand("SELECT c FROM timeline LATERAL VIEW explode(code) x AS c", timeline="code |  | "),
    Hand("SELECT sex FROM timeline LATERAL VIEW explode(code) x AS c", timeline="sex |  | "),
    Hand("SELECT inline(arrays_zip(code, day)) FROM timeline", timeline="code day |  | "),
    Hand("SELECT aggregate(day, 0, (a, d) -> a + d) FROM timeline", timeline="day |  | "),
    Hand("SELECT last_day - first_day AS span FROM timeline", timeline="first_day last_day |  | "),
    Hand("SELECT v.code FROM vocabulary v WHERE v.code_id IN (1, 2)", vocabulary="code | code_id | "),
    Hand("SELECT v.code, count(*) FROM (SELECT explode(code) AS c FROM timeline) t JOIN vocabulary v ON t.c = v.code_id "
         "GROUP BY v.code", timeline=" |  | code", vocabulary="code |  | code code_id"),
    Hand("SELECT code FROM event UNION SELECT domain FROM event", "code domain |  | code domain"),
    Hand("SELECT person_id FROM event INTERSECT SELECT person_id FROM person", "person_id |  | person_id",
         " |  | person_id"),
    Hand("SELECT domain, sum(value_num) FROM event GROUP BY CUBE (domain)", "domain value_num |  | domain"),
    Hand("SELECT code, domain, count(*) FROM event GROUP BY GROUPING SETS ((code), (domain))",
         "code domain |  | code domain"),
    Hand("WITH a AS (SELECT code FROM event WHERE day > 3), b AS (SELECT code FROM a) SELECT count(*) FROM b", " | day | "),
    Hand("SELECT d.code FROM (SELECT DISTINCT code, day FROM event) d WHERE d.day > 3", "code | day | code day"),
    Hand("SELECT t.s FROM (SELECT sum(value_num) AS s, code FROM event GROUP BY code) t WHERE t.code = 'x'",
         "value_num | code | code"),
    Hand("SELECT t.s FROM (SELECT sum(value_num) AS s FROM event GROUP BY code) t WHERE t.s > 3",
         "value_num | value_num | code"),
    Hand("SELECT code FROM event CLUSTER BY day", "code |  | day"),
    Hand("SELECT code FROM event SORT BY domain", "code |  | domain"),
]  # fmt: skip


def test_there_are_a_hundred_plans_by_hand() -> None:
    assert len({hand.sql for hand in [*QUERIES, *PLANS]}) >= 100


@pytest.mark.parametrize("hand", PLANS, ids=lambda hand: hand.sql[:80])
def test_planned_columns__as_a_reader_would_say(study: Study, hand: Hand) -> None:
    seen = study._observer.planned(study._spark.sql(hand.sql))
    assert seen is not None
    assert uses(seen) == hand.told()
