"""Reading through a study: what is handed out, under which names, and what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.errors import ConfigurationError, PermissionRefused
from lakehouse.governance.scope.scope import Scope, State
from lakehouse.settings import load_settings
from lakehouse.study.session import Study
from tests.support.small_lake import DAY0, PERSONS, append_rows, person_rows, write_small_lake
from tests.support.study_lab import TABLES, TODAY, Lab, read_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_record__tells_columns_by_use_predicates_rows_and_persons(lab: Lab) -> None:
    def work(study: Study) -> None:
        events = study.table("gold.event", ["person_id", "day", "code", "place"])
        events.filter("day > 17800 AND place = 'hospital 1'").groupBy("code").count().collect()

    scope = lab.run(work)
    read = read_of(scope, "gold.event")
    assert scope.state is State.ACCOUNTED, scope.reasons
    assert (read.columns_direct, read.columns_filter, read.columns_join) == (
        ["code"],
        ["day", "place"],
        ["code"],
    )
    assert read.columns_read == ["code", "day", "place"]
    assert read.predicates == ["(`day` > 17800) AND (`place` = 'hospital 1')"]
    assert (read.version, read.rows, read.persons) == (1, 20, 8)
    assert scope.releasable
    assert scope.unused == ["gold.person", "gold.timeline", "gold.vocabulary"]
    assert Scope.from_json(scope.to_json()) == scope


def test_persons__distinct_over_the_union_of_conditions(lab: Lab) -> None:
    def work(study: Study) -> None:
        events = study.table("gold.event")
        events.filter(f"day = {DAY0 + 900}").count()
        events.filter(f"day >= {DAY0 + 800} AND day < {DAY0 + 900}").select("code").collect()

    read = read_of(lab.run(work), "gold.event")
    assert (read.rows, read.persons) == (2 + 3, 3)
    assert len(read.predicates) == 2


def test_persons__a_user_function_does_not_narrow_the_count(lab: Lab) -> None:
    def work(study: Study) -> None:
        from pyspark.sql import functions as fn

        late = fn.udf(lambda day: day > DAY0 + 900, "boolean")
        study.table("gold.event").filter(late("day")).select("code").collect()

    read = read_of(lab.run(work), "gold.event")
    assert (read.rows, read.persons) == (55, 10)
    assert read.columns_filter == ["day"]


def test_pseudonyms__are_of_the_study_and_the_same_in_every_table(lab: Lab) -> None:
    lab.permit("other")
    tokens: dict[str, set[str]] = {}

    def work(study: Study) -> None:
        for table in ("gold.event", "gold.timeline", "gold.person"):
            rows = study.table(table).select("person_id").distinct().collect()
            tokens[f"{study.id} {table}"] = {row[0] for row in rows}

    lab.run(work)
    lab.run(work, "other")
    assert tokens["lab gold.event"] == tokens["lab gold.timeline"] == tokens["lab gold.person"]
    assert len(tokens["lab gold.event"]) == 10
    assert not tokens["lab gold.event"] & (tokens["other gold.event"] | set(PERSONS))
    assert all(len(token) == 34 for token in tokens["lab gold.event"])


def test_pseudonyms__in_predicates_are_hashed_in_the_record(lab: Lab) -> None:
    found: list[str] = []

    def work(study: Study) -> None:
        token = study.table("gold.person").select("person_id").first()[0]
        found.append(token)
        study.table("gold.event").filter(f"person_id = '{token}'").select("day").collect()

    scope = lab.run(work)
    read = read_of(scope, "gold.event")
    assert read.persons == 1
    assert found[0] not in scope.to_json()
    assert "(`person_id` = '#" in read.predicates[0]


def test_key__is_in_no_plan_and_no_setting(lab: Lab) -> None:
    from lakehouse.identity.study_pseudonyms import study_key_file

    key = study_key_file(lab.settings, "lab").read_bytes()
    with lab.open() as study:
        frame = study.table("gold.person")
        plan = frame._jdf.queryExecution().toString() + frame._jdf.queryExecution().analyzed().toJSON()
    settings = str(lab.spark.sparkContext.getConf().getAll())
    assert key.hex() not in plan and str(key) not in plan and key.hex() not in settings
    assert (lab.settings.keys / "studies" / "lab.key").stat().st_mode & 0o077 == 0


def test_versions__pinned_at_opening(spark: SparkSession, tmp_path: Path) -> None:
    lab = Lab(spark, load_settings(tmp_path / "home", "test"))
    write_small_lake(spark, lab.settings)
    lab.permit("lab")
    with lab.open() as study:
        append_rows(spark, lab.settings, "gold.person", [{**person_rows()[0], "person_id": "01" + "f" * 32}])
        seen = study.table("gold.person").count()
    assert seen == 10
    assert read_of(study.scope(), "gold.person").persons == 10
    with lab.open() as later:
        assert later.table("gold.person").count() == 11
    assert later.versions["gold.person"] == 2


def test_population__cohort_and_opt_outs_leave_out_persons(lab: Lab) -> None:
    (lab.settings.home / "conf" / "permits" / "out.txt").write_text(f"{PERSONS[0]}\n{PERSONS[8]}\n")
    lab.permit(
        "women", 'population = "sex = \'F\'"\nopt_outs = "out.txt"', study='cohort = "birth_year >= 1950"'
    )
    counts: list[int] = []

    def work(study: Study) -> None:
        counts.append(study.table("gold.timeline").count())
        counts.append(study.table("gold.event").select("person_id").distinct().count())
        counts.append(study.table("gold.person").count())

    study = lab.open("women")
    with study:
        work(study)
    scope = study.scope()
    assert counts == [3, 3, 3]
    assert scope.state is State.ACCOUNTED, scope.reasons
    assert {read.table: read.persons for read in scope.reads} == {
        "gold.event": 3,
        "gold.person": 3,
        "gold.timeline": 3,
    }
    assert read_of(scope, "gold.event").rows == 3 + 5 + 7
    assert study.attrition == [
        ("persons in the lake", 10),
        ("permit's population", 5),
        ("study's cohort", 4),
        ("not opted out", 3),
    ]


def test_period__cuts_events_timelines_stays_and_spans(lab: Lab) -> None:
    first, last = DAY0 + 250, DAY0 + 450
    lab.permit(
        "period",
        f"[period]\nfrom = {date.fromordinal(date(1970, 1, 1).toordinal() + first)}\n"
        f"to = {date.fromordinal(date(1970, 1, 1).toordinal() + last)}",
        '[tables."gold.event"]\ndirect = ["day"]\n[tables."gold.timeline"]\n'
        'direct = ["birth_year", "first_day", "last_day", "code", "day", "setting"]\n'
        '[tables."gold.spell"]\ndirect = ["time_start"]\n'
        '[tables."gold.observation_period"]\ndirect = ["start_day", "end_day"]\n'
        '[tables."gold.person"]\ndirect = ["death_date"]\n'
        '[tables."gold.exposure"]\ndirect = ["start_day", "end_day", "ddd"]\n'
        '[tables."gold.course"]\ndirect = ["start_day", "first_sector", "last_sector", "handovers"]',
    )
    with lab.open("period") as study:
        days = {row[0] for row in study.table("gold.event").collect()}
        lines = study.table("gold.timeline").orderBy("birth_year").collect()
        stays = study.table("gold.spell").count()
        spans = {tuple(row) for row in study.table("gold.observation_period").collect()}
        deaths = {row[0] for row in study.table("gold.person").collect()}
        under = study.table("gold.exposure").collect()
        courses = study.table("gold.course").orderBy("start_day").collect()
    assert days == {DAY0 + 300, DAY0 + 400}
    assert len(lines) == 8
    assert (lines[0].code, lines[0].day, lines[0].setting) == ([2], [DAY0 + 300], [1])
    assert (lines[7].code, lines[7].day, lines[7].setting) == ([2, 3], [DAY0 + 300, DAY0 + 400], [1, 0])
    assert {(line.first_day, line.last_day) for line in lines} == {
        (DAY0 + 300, DAY0 + 300),
        (DAY0 + 300, DAY0 + 400),
    }
    assert stays == 1
    assert spans == {(first, last)}
    assert deaths == {None}
    assert [tuple(row) for row in under] == [(DAY0 + 400, last, None)], "its doses are known at its end alone"
    assert [tuple(row) for row in courses] == [
        (DAY0 + 300, "hospital", "practice", 1),
        (DAY0 + 440, "hospital", None, None),
    ]
    read = read_of(study.scope(), "gold.timeline")
    assert (read.rows, read.persons) == (8, 8)


def test_period__is_cut_without_python(lab: Lab) -> None:
    lab.permit("cut", "[period]\nfrom = 2018-06-01", '[tables."gold.timeline"]\ndirect = ["code", "day"]')
    with lab.open("cut") as study:
        plan = study.table("gold.timeline")._jdf.queryExecution().executedPlan().toString()
    assert "Python" not in plan and "BatchEval" not in plan


def test_refusal__names_all_missing_columns_at_once(lab: Lab) -> None:
    with lab.open() as study, pytest.raises(PermissionRefused) as refused:
        study.table("gold.event", ["code", "cost_dkk", "unit"])
    assert "gold.event.cost_dkk, gold.event.unit are not granted" in str(refused.value)
    assert "the Region" in refused.value.next_step
    assert [denial["what"] for denial in study.scope().denials] == [refused.value.what]
    assert study.scope().state is State.ACCOUNTED


def test_refusal__names_tables_and_columns_together(lab: Lab) -> None:
    with lab.open() as study, pytest.raises(PermissionRefused) as refused:
        study.require({"gold.spell": ["hours"], "gold.event": ["unit"], "gold.person": ["sex"]})
    assert "gold.spell, gold.event.unit" in refused.value.what


def test_refusal__table_not_granted(lab: Lab) -> None:
    with lab.open() as study, pytest.raises(PermissionRefused, match=r"gold\.spell is not granted"):
        study.table("gold.spell")


def test_refusal__says_when_a_name_does_not_exist(lab: Lab) -> None:
    with lab.open() as study, pytest.raises(PermissionRefused, match="does not exist"):
        study.table("gold.nothing")


def test_refusal__column_that_exists_but_is_not_granted(lab: Lab) -> None:
    refused = pytest.raises(PermissionRefused, match=r"gold\.event\.cost_dkk exists, but is not granted")
    study = lab.open()
    with refused, study:
        study.table("gold.event").select("code", "cost_dkk").collect()
    assert study.scope().denials


def test_refusal__filter_only_column_says_how_to_ask_for_it(lab: Lab) -> None:
    with pytest.raises(PermissionRefused, match="granted filter only"), lab.open() as study:
        study.table("gold.event").select("place").collect()


def test_refusal__spelling_mistakes_stay_sparks_own(lab: Lab) -> None:
    from pyspark.errors import AnalysisException

    with pytest.raises(AnalysisException), lab.open() as study:
        study.table("gold.event").select("cdoe")


def test_refusal__expired_and_future_permit(lab: Lab) -> None:
    with pytest.raises(PermissionRefused, match="has expired"):
        lab.open(today=date(2026, 1, 1))
    with pytest.raises(PermissionRefused, match="not yet valid"):
        lab.open(today=date(2024, 12, 31))


def test_refusal__unnamed_actor(lab: Lab) -> None:
    with pytest.raises(PermissionRefused, match="'eve' is not among the users"):
        lab.open(actor="eve")


def test_refusal__closed_study(lab: Lab) -> None:
    with lab.open() as study:
        pass
    with pytest.raises(PermissionRefused, match="closed"):
        study.table("gold.event")


def test_refusal__permit_for_no_real_persons_on_a_real_lake(spark: SparkSession, tmp_path: Path) -> None:
    from lakehouse.governance.permits.files import grant_all
    from lakehouse.study.session import open_data

    settings = load_settings(tmp_path / "home", "test")
    write_small_lake(spark, settings)
    grant_all(settings, "demo", today=TODAY)
    (settings.lake / "lake.toml").write_text('kind = "real"\n')
    with pytest.raises(PermissionRefused, match="no real persons"):
        open_data(spark, settings, "demo", today=TODAY)


def test_two_studies_in_turn__each_has_its_own_reads(lab: Lab) -> None:
    first = lab.run(lambda study: study.table("gold.event").count())
    second = lab.run(lambda study: study.table("gold.timeline").count())
    assert [read.table for read in first.reads] == ["gold.event"]
    assert [read.table for read in second.reads] == ["gold.timeline"]


def test_two_studies_at_once__each_has_its_own_reads(lab: Lab) -> None:
    lab.permit("beside")
    with lab.open() as one, lab.open("beside") as other:
        one.table("gold.event").count()
        other.table("gold.timeline").count()
    assert [read.table for read in one.scope().reads] == ["gold.event"]
    assert [read.table for read in other.scope().reads] == ["gold.timeline"]
    assert one.scope().state is other.scope().state is State.ACCOUNTED


def test_failed_query__is_on_the_record(lab: Lab) -> None:
    def work(study: Study) -> None:
        from pyspark.sql import functions as fn

        study.table("gold.event").select(fn.when(fn.col("day") > 0, fn.raise_error("stop"))).collect()

    scope = lab.run(work)
    assert scope.failed_queries == 1
    assert read_of(scope, "gold.event").columns_direct == ["day"]


def test_scope__asked_for_while_open_closes_the_study(lab: Lab) -> None:
    with lab.open() as study:
        study.table("gold.event").count()
        assert study.scope().reads[0].rows == 55
        with pytest.raises(PermissionRefused, match="closed"):
            study.table("gold.event")


def test_rows__of_a_table_are_those_the_permit_grants(lab: Lab) -> None:
    tables = TABLES.replace(
        '[tables."gold.timeline"]', 'rows = "place = \'hospital 1\'"\n[tables."gold.timeline"]'
    )
    lab.permit("site", tables=tables)
    scope = lab.run(lambda study: study.table("gold.event").select("code").collect(), "site")
    read = read_of(scope, "gold.event")
    assert (read.rows, read.persons) == (30, 10), "odd events of ten persons"
    assert scope.state is State.ACCOUNTED and read.columns_filter == []
    sly = TABLES.replace('[tables."gold.timeline"]', 'rows = "day in (select 1)"\n[tables."gold.timeline"]')
    lab.permit("sly_rows", tables=sly)
    with pytest.raises(ConfigurationError, match=r"one condition on the columns of gold\.event"):
        lab.open("sly_rows")


def test_history__reaches_back_from_the_day_of_reading(lab: Lab) -> None:
    lab.permit("recent", "history_years = 5")
    with lab.open("recent") as study:
        days = {row.day for row in study.table("gold.event").select("day").collect()}
    assert days == {17532 + 100 * k for k in (9, 10)}, "events from 1 June 2020 on"
