"""Known defects of primary care, municipality, quality, social and reference sources, by hand, from file to gold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.delta.tables import table_path
from lakehouse.ingest.run import IngestSummary, ingest
from lakehouse.lake import Lake
from lakehouse.settings import Settings, load_settings
from tests.support.gold_form import fix_root_key, require_form
from tests.support.social_delivery import write_social

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Row = tuple[Any, ...]
BORN = {
    "1990-01-07": "Anna",
    "1950-02-08": "Bent",
    "1940-03-09": "Carl",
    "2015-05-10": "Eva",
    "1980-01-01": "Dora",
    "2012-02-01": "Emil",
    "2014-03-01": "Freja",
}


class SocialLake:
    """What the ingest made, read as plain rows; persons go by the names of the hand-written delivery."""

    def __init__(self, spark: SparkSession, settings: Settings, summary: IngestSummary) -> None:
        self.spark, self.settings, self.summary = spark, settings, summary
        self.names = {
            row[0]: BORN.get(str(row[1]), "?") for row in self.read("gold.person", "person_id", "birth_date")
        }
        columns = (
            "source_table",
            "person_id",
            "CAST(time_start AS STRING) AS time_start",
            "CAST(time_end AS STRING) AS time_end",
            "time_precision",
            "code",
            "code_raw",
            "code_role",
            "value_num",
            "value_text",
            "flag",
            "quantity",
            "cost_dkk",
            "place",
            "setting",
            "status",
            "row_number",
        )
        self.columns = [column.rpartition(" ")[2] for column in columns]
        self.all = sorted(
            self.read("gold.event", *columns), key=lambda row: (str(row[0]), row[16] or 0, str(row[5]))
        )

    def read(self, name: str, *columns: str) -> list[Row]:
        """Rows of a table."""
        frame = self.spark.read.format("delta").load(str(table_path(self.settings, name)))
        return [tuple(row) for row in frame.selectExpr(*columns).collect()]

    def events(self, table: str, *columns: str) -> list[Row]:
        """Events of one source table in the order of its rows, then code; ``who`` is the person's name."""
        found = []
        for row in self.all:
            if row[0] == table:
                named = dict(zip(self.columns, row, strict=True)) | {"who": self.names[row[1]]}
                found.append(tuple(named[column] for column in columns))
        return found

    def quarantine(self, table: str) -> list[Row]:
        """Row and reason of what was refused."""
        return sorted(self.read(f"quarantine.{table}", "row_number", "reason"))


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SocialLake:
    home = tmp_path_factory.mktemp("social")
    settings = load_settings(home / "home", "test")
    fix_root_key(settings)
    return SocialLake(spark, settings, ingest(Lake(spark, settings), write_social(home / "out")))


def test_gold_is_computed_as_its_form_says(lake: SocialLake) -> None:
    require_form("social", lake.settings, lake.settings.home.parent / "out")


def test_every_row_is_somewhere(lake: SocialLake) -> None:
    assert all(file.balanced for file in lake.summary.files)
    assert lake.summary.rows_in > 70
    assert set(lake.names.values()) == set(BORN.values())


def test_t09_a_year_and_week_is_the_monday_with_the_precision_of_a_week(lake: SocialLake) -> None:
    shown = [
        row[1:]
        for row in lake.events("sssy_services", "row_number", "time_start", "time_precision", "who")
        if row[0] in (1, 2, 8)
    ]
    assert shown == [
        ("2005-06-06 00:00:00", "week", "Bent"),
        ("2005-06-06 00:00:00", "week", "Bent"),
        ("2021-05-19 00:00:00", "day", "Bent"),
    ]
    assert lake.quarantine("sssy_services") == [(7, "bad_week"), (9, "bad_gross_fee")]


def test_t08_thousands_apart_by_dots_are_numbers_and_a_decimal_point_is_refused(lake: SocialLake) -> None:
    assert lake.events("sssy_services", "cost_dkk", "quantity")[0] == (1155.4, 2.0)
    assert lake.events("drg_contacts", "who", "code", "cost_dkk", "time_start", "place") == [
        ("Anna", "DRG//05MP09", 29800.5, "2020-01-01 08:00:00", "99004081000016")
    ]
    assert lake.quarantine("drg_contacts") == [(2, "bad_value")]
    assert sorted(lake.read("gold.spell", "cost_dkk", "hours"), key=str) == [
        (29800.5, 52.0),
        (73850.5, 72.0),
        (None, 1.0),
    ]


def test_a_group_from_before_the_change_hangs_on_the_older_register_s_contact(lake: SocialLake) -> None:
    assert lake.events("lpr2_drg", "who", "code", "cost_dkk", "time_start") == [
        ("Bent", "DRG//08OP30", 73850.5, "2018-03-01 08:00:00")
    ]
    unlinked = lake.read("quarantine.unlinked", "source_table", "row_number")
    assert [row for row in unlinked if row[0] == "lpr2_drg"] == [("lpr2_drg", 2)]
    assert lake.read("silver.psychiatric_rates", "year", "service", "rate") == [(2018, "SENGEDAG", 3900.0)]
    assert lake.quarantine("psychiatric_rates") == [(2, "bad_service")]


def test_a_dispensing_without_a_price_costs_what_the_list_of_that_day_says(lake: SocialLake) -> None:
    assert lake.events("lmdb_dispensings", "cost_dkk") == [(80.0,), (12.0,)]


def test_t35_a_service_for_a_child_moves_only_where_one_child_can_be_meant(lake: SocialLake) -> None:
    shown = lake.events("sssy_services", "row_number", "who", "code_role")
    assert [row for row in shown if row[0] in (3, 4, 5, 6)] == [
        (3, "Eva", "child"),
        (4, "Anna", "for_child"),
        (5, "Dora", "for_child"),
        (6, "Bent", "for_child"),
    ]


def test_practice_gives_contacts_both_code_systems_and_measurements(lake: SocialLake) -> None:
    assert lake.events("gp_contact", "who", "code", "place") == [
        ("Anna", "GP//KONS", "103333"),
        ("Anna", "ICD10//E119", "103333"),
        ("Anna", "ICPC2//T90", "103333"),
        ("Bent", "GP//EKONS", "103333"),
    ]
    assert lake.events("gp_measure", "code", "value_num") == [("NPU//NPU27300", 52.5)]


def test_t37_four_code_forms_are_one_code_and_a_condition_sent_again_is_one_event(lake: SocialLake) -> None:
    shown = lake.events("eoj_conditions", "who", "code", "value_num", "place")
    assert sorted(shown) == sorted(
        [("Carl", "FSIII//J1.3", 3.0, "98001011000016")]
        + [("Carl", "FSIII//J1.3", 2.0, "98001011000016")] * 3
    )
    assert len(lake.read("silver.eoj_conditions", "version")) == 8
    assert sorted(lake.events("eoj_care_plans", "code")) == [
        ("FSIII//G1.20//PLANNED",),
        ("FSIII//H1.1//PLANNED",),
    ]
    assert lake.events("eoj_procedures", "code", "time_start") == [("FSIII//H1.1", "2020-03-06 00:00:00")]
    assert lake.events("eoj_observations", "code") == [("FSIII//J1.3//D2",)]
    assert lake.events("eoj_goals", "code", "value_num") == [("FSIII//J1.3//GOAL", 1.0)]
    assert sorted(lake.events("eoj_encounters", "code", "status", "time_start")) == [
        ("EOJ//ENCOUNTER", "active", "2020-03-06 00:00:00"),
        ("EOJ//ENCOUNTER", "cancelled", "2020-03-20 00:00:00"),
        ("EOJ//ENCOUNTER//PLANNED", "planned", "2020-04-06 00:00:00"),
    ]


def test_what_was_called_off_or_refused_is_kept_and_not_active(lake: SocialLake) -> None:
    assert lake.events("eoj_visits", "quantity", "status") == [(20.0, "active"), (0.0, "cancelled")]
    assert lake.events("eoj_medication", "code", "status") == [
        ("ATC//C10AA05", "active"),
        ("ATC//C10AA05", "not_given"),
    ]
    assert lake.events("eoj_housing", "code", "time_end") == [("EOJ//PLEJEHJEM", "2023-06-01 00:00:00")]


def test_t36_wide_rows_become_events_under_the_present_names(lake: SocialLake) -> None:
    shown = lake.events("rkkp_karbase", "row_number", "code", "value_num", "value_text", "flag")
    assert shown == [
        (1, "KARBASE//DIABETES", None, None, None),
        (1, "KARBASE//KREATININ", 84.5, None, None),
        (1, "KARBASE//NY_VARIABEL", None, "x", None),
        (1, "KARBASE//RYGNING", None, "N", "N"),
        (1, "SKS//KPAF20", None, "TUL1", None),
        (2, "KARBASE//RYGNING", None, "not_performed", "N"),
        (2, "SKS//KPEH12", None, "TUL2", None),
    ]
    assert lake.read("silver.rkkp_karbase", "CAST(operated_on AS STRING)") == [("2018-05-17",), (None,)]
    assert lake.events("rkkp_dvdd", "who", "code", "value_num", "time_start") == [
        ("Anna", "DVDD//DIABETESTYPE", None, "2021-04-03 00:00:00"),
        ("Anna", "DVDD//HBA1C", 61.0, "2021-04-03 00:00:00"),
        ("Bent", "DVDD//DIABETESTYPE", None, "2021-12-31 00:00:00"),
    ]


def test_t39_numbers_in_free_text_are_scrubbed_and_the_text_stays_outside_silver(lake: SocialLake) -> None:
    texts = [row[0] for row in lake.read("bronze.pro_answers", "answer_text") if row[0]]
    assert texts == ["ring til [cpr]"]
    for name in ("pro_answers", "dpsd_reports"):
        frame = lake.spark.read.format("delta").load(str(table_path(lake.settings, f"silver.{name}")))
        assert not {"answer_text", "description", "headline"} & set(frame.columns)
    assert lake.events("pro_answers", "code", "value_num", "flag")[:4] == [
        ("PRO//TELEPRO//1", 3.0, "N"),
        ("PRO//TELEPRO//RED", None, None),
        ("PRO//TELEPRO//2", 1.0, "N"),
        ("PRO//EQ5D5L//MO", None, "N"),
    ]


def test_whole_sets_of_answers_have_their_index_and_others_none(lake: SocialLake) -> None:
    """The Danish value set of EQ-5D-5L: worst -0.758; a missing answer gives no index, nor does a missing item."""
    found = [
        row
        for row in lake.events("pro_answers", "who", "code", "value_num", "value_text")
        if row[1] in ("PRO//EQ5D5L//INDEX", "PRO//WHO5//SCORE")
    ]
    assert found == [
        ("Bent", "PRO//EQ5D5L//INDEX", -0.758, "55555"),
        ("Carl", "PRO//EQ5D5L//INDEX", 0.865, "21131"),
        ("Carl", "PRO//WHO5//SCORE", 52.0, None),
    ]


def test_t38_reports_without_a_patient_and_collective_reports_belong_to_nobody(lake: SocialLake) -> None:
    assert lake.events("dpsd_reports", "who", "code", "time_precision") == [
        ("Carl", "DPSD//FALD//OLD_MILD", "minute"),
        ("Anna", "DPSD//MED//SEV_RISIKO", "day"),
    ]
    assert lake.events("dpsd_collective", "code") == []
    assert lake.read("silver.dpsd_collective", "municipality", "reports") == [("0751", 14), ("751", 9)]
    assert len(lake.read("silver.dpsd_reports", "person_id")) == 3


def test_t31_a_snapshot_carries_its_own_date_not_the_year_of_the_file(lake: SocialLake) -> None:
    shown = lake.events("dst_bef", "who", "time_start", "value_num")
    assert shown == [
        ("Anna", "2005-12-31 00:00:00", None),
        ("Anna", "2019-12-31 00:00:00", 250000.0),
        ("Bent", "2020-01-01 00:00:00", None),
    ]
    assert lake.quarantine("dst_bef") == [(4, "missing_reference_date")]


def test_t34_a_municipality_code_is_read_at_its_date(lake: SocialLake) -> None:
    assert lake.events("dst_bef", "code", "code_raw", "place")[:2] == [
        ("BEF//KOM//707-1970", "707", "707"),
        ("BEF//KOM//707", "707", "707"),
    ]


def test_t04_a_number_of_another_project_joins_nobody(lake: SocialLake) -> None:
    assert lake.quarantine("dst_udda") == [(2, "foreign_pseudonym")]
    assert lake.events("dst_udda", "who", "code", "code_raw", "time_precision") == [
        ("Anna", "EDUCATION//35", "4112", "year"),
        ("Bent", "EDUCATION//90", "7777", "year"),
    ]
    assert lake.events("dst_ind", "value_num") == [(312500.0,)]
    assert lake.events("dst_akm", "code") == [("AKM//134",)]


def test_weeks_of_benefits_become_spells(lake: SocialLake) -> None:
    assert lake.events("dream_weeks", "who", "code", "time_start", "time_end") == [
        ("Anna", "DREAM//890", "2018-12-17 00:00:00", "2019-01-06 00:00:00"),
        ("Anna", "DREAM//890", "2019-01-14 00:00:00", "2019-01-20 00:00:00"),
        ("Bent", "DREAM//998", "2018-12-24 00:00:00", "2019-01-20 00:00:00"),
    ]


def test_variants_find_their_person_through_the_sample(lake: SocialLake) -> None:
    assert lake.events("research_variants", "who", "code", "value_num", "place") == [
        ("Anna", "VARIANT//TP53", 0.125, "DCB")
    ]
    assert lake.events("research_samples", "who", "code", "time_start") == [
        ("Anna", "SAMPLE//BLOOD", "2020-05-05 00:00:00")
    ]


def test_t28_a_value_uploaded_again_counts_once_at_the_citizens_clock(lake: SocialLake) -> None:
    assert lake.events("telemedicine_observations", "who", "code", "value_num", "time_start") == [
        ("Bent", "NPU//NPU27280", 92.5, "2022-07-01 08:30:00")
    ]
    assert len(lake.read("silver.telemedicine_observations", "version")) == 2


def test_t07_letters_decoded_wrongly_are_repaired_once_and_lost_ones_are_remarked(lake: SocialLake) -> None:
    assert lake.read("silver.sor_units", "name", "remarks") == [
        ("Øst plejecenter", None),
        ("K?benhavn sygepleje", "lost_letters_name"),
    ]


def test_t33_a_code_used_again_has_two_spans_of_validity_and_its_parent(lake: SocialLake) -> None:
    columns = ("place", "parent", "name", "CAST(valid_from AS STRING)", "CAST(valid_to AS STRING)")
    assert sorted(lake.read("silver.shak_units", *columns), key=str) == [
        ("7003", None, "Aarhus", "2007-01-01", None),
        ("7003A20", "7003A2", "Hjerteafsnit Ø", "2019-01-01", None),
        ("7003A20", "7003A2", "Karkirurgisk afsnit", "2007-01-01", "2018-12-31"),
    ]
    on = "valid_from <= DATE'{0}' AND coalesce(valid_to, DATE'9999-12-31') >= DATE'{0}'"
    frame = lake.spark.read.format("delta").load(str(table_path(lake.settings, "gold.place")))
    for day, name in (("2018-05-17", "Karkirurgisk afsnit"), ("2019-01-01", "Hjerteafsnit Ø")):
        assert [row["name"] for row in frame.where(on.format(day)).where("place = '7003A20'").collect()] == [
            name
        ]
    assert {row[0] for row in lake.events("rkkp_karbase", "place")} == {"7003A20"}


def test_costs_have_no_place_in_the_timeline_and_their_names_in_the_vocabulary(lake: SocialLake) -> None:
    words: dict[str, str] = dict(lake.read("gold.vocabulary", "code", "text"))
    assert not [code for code in words if code.startswith(("DRG//", "COST//", "BEF//", "IND//"))]
    assert words["ICD10//E119"] == "Type 2-diabetes"
    assert words["SKS//KPAF20"] == "Bypass på bækkenpulsåre"
    assert words["DREAM//890"] == "Sygedagpenge, passiv"
