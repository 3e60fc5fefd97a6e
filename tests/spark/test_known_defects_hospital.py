"""The known defects of hospital, medicine, laboratory and person sources: planted row by row, ruled by the ingest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.delta.tables import table_path
from lakehouse.errors import DataError
from lakehouse.ingest.run import IngestSummary, ingest
from lakehouse.lake import Lake
from lakehouse.settings import Settings, load_settings
from tests.support.deliveries import ANNA, BENT, CARL, HEADERS, persons, write_delivery, write_file
from tests.support.gold_form import fix_root_key, require_form

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DORA, ERIK, ERIKA, EVA, FINN, GERT = (
    "7004801238", "7105701231", "7105701232", "7105701234", "6505211231", "7110551233")  # fmt: skip
"""Dora is first known by a decentral number; Erik becomes Erika and then Eva; Finn is born in 2021; Gert is annulled."""
UNPROVEN, TEST_PATIENT, NATIONAL, DECENTRAL = "0101364231", "0201609995", "0101901AB3", "0101900AB3"
PERSON = HEADERS["cpr/cpr3_t_person.csv"] + ";v_pnr_ny"
CONTACT = (
    "DW_EK_KONTAKT;dw_ek_forloeb;PNR;kont_starttidspunkt;kont_sluttidspunkt;prioritet;kont_ans;kont_ans_geo_reg;"
    "flag_kont_afsluttet;lprindberetningssystem"
)


def visit(
    key: str, who: str, start: str, stop: str, region: str = "1084", more: str = "1;LPR3", acute: bool = False
) -> str:
    """A contact of model A."""
    return (
        f"{key};5{key};{who};{start}:00;{stop};{'ATA1' if acute else 'ATA3'};99004081000016;{region};{more}"
    )


def hour(start: str) -> str:
    """A quarter of an hour later."""
    return f"{start[:14]}45:00"


DELIVERED: dict[str, tuple[str, list[str]]] = {
    "cpr/cpr3_t_person.csv": (
        PERSON,
        [
            *(f"{line};" for line in persons()),
            f"{DORA};2;1;1980-04-10;1980-04-10;;;751;2001-01-01;",
            f"{ERIK};M;60;1970-05-11;2020-06-01;;;0751;2001-01-01;{ERIKA}",
            f"{ERIKA};K;60;1970-05-11;2021-06-01;;;0751;2001-01-01;{EVA}",
            f"{EVA};F;01;1970-05-11;2021-06-01;;;0751;2001-01-01;",
            f"{FINN};M;01;2021-05-05;2021-05-05;;;0751;2021-05-05;",
            f"{GERT};M;30;1955-10-11;2001-01-01;;;0751;2001-01-01;",
            f"{UNPROVEN};K;01;2036-01-01;2036-01-01;;;0751;2001-01-01;",
            f"{TEST_PATIENT};M;01;1960-01-02;1960-01-02;;;0751;2001-01-01;",
            f"{NATIONAL};K;01;1990-01-01;1990-01-01;;;0751;2001-01-01;",
            "0000000000;K;01;1990-01-01;1990-01-01;;;0751;2001-01-01;",
        ],
    ),
    "cpr/person_link.csv": (
        "erstatningsnummer;udsteder;v_pnr;d_start",
        [f"{DECENTRAL};1082;{DORA};2020-03-01"],
    ),
    "cpr/cpr3_t_adresse_udland.csv": (
        "",
        [f"{BENT};2018-01-01;2019-01-01;", f"{ANNA};2018-01-01;;A", f"{CARL};2019-05-05;;"],
    ),
    "cpr/cpr3_dansk_ophold_periode.csv": (
        "",
        [f"{ANNA};1990-01-07;", f"{BENT};1950-02-08;", f"{CARL};1940-03-09;", f"{ERIK};1970-05-11;"],
    ),
    "lpr_a/lpr_a_kontakt.csv": (
        CONTACT,
        [
            visit("41", ANNA, "2020-01-01 08:00", "2020-01-01 12:00:00", acute=True),
            visit("42", ANNA, "2020-01-01 16:00", "2020-01-02 09:00:00"),
            visit("43", ANNA, "2020-06-01 10:00", "", more="0;LPR3"),
            visit("44", DECENTRAL, "2020-02-01 10:00", "2020-02-01 10:45:00", region="1082"),
            visit("45", DECENTRAL, "2020-02-01 10:00", "2020-02-01 10:45:00", region="1084"),
            visit("46", BENT, "2018-05-01 10:00", "2018-05-01 10:45:00", more="1;LPR2"),
            visit("47", BENT, "2018-06-01 10:00", "2018-06-01 10:45:00", more="1;MiniPAS"),
            visit("48", BENT, "2020-03-01 09:00", "2020-03-01 09:45:00", more="1;MiniPAS"),
            visit("49", BENT, "2020-03-29 02:30", "2020-03-29 04:00:00"),
            visit("50", BENT, "2020-10-25 02:30", "2020-10-25 04:00:00"),
            visit("51", BENT, "2020-04-01 00:00", "2020-04-01 00:00:00"),
            visit("52", CARL, "2023-08-01 10:00", "2023-08-01 10:45:00"),
            visit("53", FINN, "2021-05-01 10:00", "2021-05-01 10:45:00"),
            visit("54", ERIK, "2020-05-05 10:00", "2020-05-05 10:45:00"),
            visit("55", EVA, "2022-05-05 10:00", "2022-05-05 10:45:00"),
            *(visit(f"6{n}", BENT, f"2021-0{n}-03 10:00", f"2021-0{n}-03 10:45:00") for n in range(1, 5)),
            visit("70", ANNA, "2019-03-05 10:00", "2019-03-05 10:45:00"),
            visit("71", ANNA, "2024-12-20 10:00", "2024-12-20 10:45:00"),
        ],
    ),
    "lpr_a/lpr_a_forloeb.csv": ("dw_ek_forloeb;dw_ek_helbredsforloeb;pnr", [f"541;9;{ANNA}", f"550;9;{BENT}"]),
    "lpr_a/lpr_a_diagnose.csv": (
        "dw_ek_kontakt;diag_kode;diag_kode_type;senere_afkraeftet;diag_parent_kode",
        [
            "41;DI219;A;;",
            "42;DE112A;B;Nej;",
            "42;TUL1;+;;DE112A",
            "42;DJ189;A;Ja;",
            "42;DU071;B;;",
            "43;DM2341;A;;",
            "44;DI480;A;;",
            "45;DI480;A;;",
            "46;DI109;A;;",
            "47;DI109;A;;",
            "48;DI109;A;;",
            *(f"{key};DR074;A;;" for key in ("49", "50", "51", "52", "53", "54", "55", "70", "71")),
            "51;DC509;H;;",
            "48;DZ035;A;;",
            *(f"6{n};DJ459;A;;" for n in range(1, 5)),
        ],
    ),
    "lpr_a/lpr_a_procregistrering.csv": (
        "dw_ek_procedureregistrering;dw_ek_kontakt;dw_ek_forloeb;proc_kode;proc_kode_type;proc_parent_kode;"
        "proc_starttidspunkt;prod_enh",
        [
            "81;41;541;KJDF10;P;;2020-01-01 09:00:00;99004081000018",
            "82;;550;KNGD11;P;;2021-06-01 00:00:00;",
            "83;;;KNGD11;P;;2021-06-01 00:00:00;",
            "84;41;541;TUL1;+;KJDF10;2020-01-01 09:00:00;",
        ],
    ),
    "lpr_a/lpr_a_procregistrering_aflys.csv": (
        "dw_ek_procedureregistrering;dw_ek_kontakt;dw_ek_forloeb;proc_kode;proc_kode_type;proc_starttidspunkt",
        ["85;41;541;KJDF11;P;2020-01-01 09:00:00"],
    ),
    "lpr_f/kontakter.csv": (
        "",
        [f"41;541;{ANNA};99004081000016;a;K;1084;2020-01-01;08:00:00;2020-01-01;12:00:00;ALCA00;ALCC01;ATA1;DI219;"
         "2020-01-02;LPR3"],
    ),
    "lpr_f/diagnoser.csv": ("", ["41;DI219;A;Nej;;;LPR3"]),
    "lpr2/t_adm.csv": (
        "k_recnum;v_cpr;c_sgh;c_afd;c_pattype;d_inddto;v_indtime;v_indminut;d_uddto;v_udtime;c_indm;c_udm;c_spec",
        [
            f"1;{ANNA};1301;10;2;2017-02-01;;;2017-11-01;;2;1;1",
            f"41;{BENT};801;1;0;20180301;24;0;20180303;12;1;1;01",
            f"3;{BENT};1301;10;3;01/06/2018;9;5;01/06/2018;11;1;1;01",
            f"7;{BENT};1301;10;2;01/05/2018;9;5;01.05.2018;11;2;1;01",
            f"4;{BENT};1301;10;2;21185;10;30;25000101;;1;1;01",
            f"5;{BENT};1301;10;0;2018-02-01;9;0;2018-02-02;9;9;1;01",
            f"6;{BENT};1301;10;0;2018-02-01;9;0;2018-02-02;9;1;B;01",
        ],
    ),
    "lpr2/t_diag.csv": (
        "v_recnum;c_diag;c_diagtype;c_tildiag",
        ["1;DJ459;A;", "41;DS525;A;TUL2", "4;4280;A;", "4;DN179;C;", "3;DI10;A;"],
    ),
    "lpr2/t_sksopr.csv": (
        "v_recnum;c_opr;c_tilopr;c_oprart;d_odto;v_otime;v_ominut;c_osgh;c_oafd",
        ["41;KNCJ45;TUL1;V;2018-03-01;14;30;801;1"],
    ),
    "lpr2/uaf_t_adm.csv": (
        "k_recnum;v_cpr;c_sgh;c_afd;c_pattype;d_inddto;v_indtime;v_indminut;c_indm",
        [f"9;{CARL};1301;10;2;2018-11-01;9;0;2"],
    ),
    "lpr2/uaf_t_diag.csv": ("v_recnum;c_diag;c_diagtype;c_tildiag", ["9;DC619;A;"]),
    "minipas/minipas_t_adm.csv": (
        "k_recnum;v_cpr;c_sgh;c_afd;c_pattype;d_inddto;d_uddto;c_indm",
        [f"1;{BENT};8501;10;2;2018-06-01;2018-06-01;2"],
    ),
    "minipas/minipas_t_diag.csv": ("v_recnum;c_diag;c_diagtype;c_tildiag", ["1;DM171;A;"]),
    "lmdb/lmdb_2020.csv": (
        "PNR;EKSD;VNR;ATC;NAME;PACKSIZE;APK;VOLUME;INDO;DOSO;EKST;KORR;EKSP",
        [
            f"{ANNA};2020-02-01;4712;C10AA05;Atorvastatin;100;2;50,0;;;;;1.042,50",
            f"{ANNA};2020-02-03;472094;C10AA05;Atorvastatin;100;1;50,0;1093;;;;42,00",
            f"{ANNA};2020-02-05;472094;C10AA05;Atorvastatin;100;-1;50,0;1093;;;1;-42,00",
            *(f"{BENT};{day};472095;C07AB02;Metoprolol;7;1;7,0;;;DD;;10,00"
              for day in ("2020-03-02", "2020-03-04", "2020-03-09")),
        ],
    ),
    "smr/indberetningmedpris_2020.csv": (
        "k_adm_id;k_region_id;v_cpr;d_adm;c_shak;c_patienttype;c_atc;v_adm_dosis;v_adm_dosis_enhed;amgros_adm_pris",
        [f"1;1084;{ANNA};2020-01-01 10:00:00;1301100;0;J01CR02;1,2;g;13,50"],
    ),
    "epj/SP_AdministreretMedicin.csv": (
        "patientid;taken_time;atc;medication_name;sig;zc_med_unit_name;mar_action_c",
        [f"{ANNA};2020-01-01 10:00:00;J01CR02;x;1,2;g;1", f"{ANNA};2020-01-01 18:00:00;J01CR02;x;1,2;g;9"],
    ),
    "epj/SP_AlleProevesvar.csv": (
        "patientid;proc_name;component;specimn_taken_time;ord_value;reference_unit",
        [f"{ANNA};x;B-Hæmoglobin;2020-01-12 08:15:00;6,5;mmol/L"],
    ),
    "lab/labka_2020.csv": (
        HEADERS["lab/lab_forsker_2020.csv"],
        [
            f"{ANNA};2020-01-12;08:15:00;NPU02319;6,5;;mmol/l;7,3;9,5;LAB1",
            f"{ANNA};2020-01-12;08:15:00;RRK01234;3;;x;;;LAB1",
            f"{ANNA};2020-01-13;08:15:00;NPU27300;7,5;;%;31;44;LAB1",
            f"{ANNA};2020-01-14;08:15:00;NPU01423;200;;nmol/L;;80;LAB1",
            f"{ANNA};2020-01-15;08:15:00;NPU03230;4,1;;furlong;3,5;4,4;LAB1",
            f"{ANNA};2020-01-16;08:15:00;NPU03230;41;;mmol/L;3,5;4,4;LAB1",
            f"{BENT};2020-07-01;08:15:00;NPU03230;4,1;;mmol/L;3,5;4,4;LAB2",
        ],
    ),
    "lab/lab_forsker_2020.csv": (
        "",
        [
            f"{ANNA};2020-01-12;08:15:00;NPU02319;6,5;;mmol/L;7,3;9,5;LAB1",
            f"{ANNA};2020-01-20;08:15:00;NPU19748;<5;;mg/L;;8;LAB1",
            f"{ANNA};2020-01-20;08:16:00;DNK35302;>90;;mL/min/1,73 m²;60;;LAB1",
            f"{ANNA};2020-01-21;08:15:00;NPU12345;POSITIV;;;;;LAB1",
            f"{ANNA};2020-01-22;08:15:00;NPU12345;FORHOEJET;;;;;LAB1",
            f"{ANNA};2020-01-23;08:15:00;NPU12345;1+ (hæmolyse);;;;;LAB1",
            f"{ANNA};2020-01-24;;NPU03230;4,0;;mmol/L;3,5;4,4;LAB1",
        ],
    ),
    "lab/medcom_2020.csv": (
        HEADERS["lab/lab_forsker_2020.csv"],
        [
            f"{ANNA};2020-01-12;08:15:00;NPU02319;6,5;;mmol/L;7,3;9,5;LAB1",
            f"{ANNA};2020-01-24;;NPU03230;4,0;;mmol/L;3,5;4,4;LAB1",
        ],
    ),
    "dod/dodsaars.csv": ("", [f"{CARL};2023-05-30;D469"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, IngestSummary]:
    """Everything ingested once."""
    root = tmp_path_factory.mktemp("known_defects")
    write_delivery(root / "out", {})
    for name, (header, lines) in DELIVERED.items():
        write_file(root / "out", name, lines, header)
    settings = load_settings(root / "home", "test")
    fix_root_key(settings)
    return settings, ingest(Lake(spark, settings), root / "out")


def test_gold_is_computed_as_its_form_says(lake: tuple[Settings, IngestSummary]) -> None:
    settings, _ = lake
    require_form("hospital", settings, settings.home.parent / "out")


Rows = list[tuple[Any, ...]]


@pytest.fixture
def see(spark: SparkSession, lake: tuple[Settings, IngestSummary]) -> Any:
    """Distinct rows of a table, as sorted tuples."""

    def look(table: str, where: str, *columns: str) -> Rows:
        frame = spark.read.format("delta").load(str(table_path(lake[0], table)))
        return sorted((tuple(row) for row in frame.where(where).selectExpr(*columns).collect()), key=str)

    return look


def reasons(lake: tuple[Settings, IngestSummary], name: str) -> dict[str, int]:
    return next(entry.reasons for entry in lake[1].files if entry.name == name)


def test_every_file_balances(lake: tuple[Settings, IngestSummary]) -> None:
    assert {entry.name for entry in lake[1].files} == set(DELIVERED)
    assert all(entry.balanced for entry in lake[1].files)


def test_t01_numbers_are_classified_and_only_nobodies_are_refused(lake: Any, see: Any) -> None:
    assert reasons(lake, "cpr/cpr3_t_person.csv") == {"no_subject": 1, "test_person": 1}
    odd = dict(see("silver.cpr_person", "remarks IS NOT NULL", "CAST(birth_date AS STRING)", "remarks"))
    assert odd["2036-01-01"] == "number_without_mod11,sex_differs"
    assert odd["1990-01-01"] == "number_x_ecpr,sex_differs"
    assert odd["1990-01-07"] == "number_replacement"


def test_t02_decentral_numbers_are_one_person_only_with_issuer_and_link(see: Any) -> None:
    found = see("gold.event", "code = 'ICD10//I480'", "person_id")
    dora = see("gold.person", "birth_date = DATE'1980-04-10'", "person_id")
    assert len(found) == 2 and len({row[0] for row in found}) == 2
    assert sum(row in dora for row in found) == 1


def test_t03_a_changed_number_is_one_person_with_the_sex_of_the_register(see: Any) -> None:
    (eva,) = see("gold.person", "birth_date = DATE'1970-05-11'", "person_id", "sex")
    visits = see(
        "gold.event", "encounter_id IS NOT NULL AND code = 'ICD10//R074'", "person_id", "year(time_start)"
    )
    assert [row[1] for row in visits if row[0] == eva[0]] == [2020, 2022]
    assert eva[1] == "F"
    assert see("gold.observation_period", f"person_id = '{eva[0]}'", "start_day") == [(17167,)]


def test_t05_headers_vary_in_case_and_name_and_must_not_lack_a_column(see: Any, tmp_path: Path) -> None:
    from lakehouse.delivery.find import find_delivery
    from lakehouse.delivery.survey import survey

    assert len(see("silver.lmdb_dispensings", "true", "person_id")) == 6
    root = write_delivery(tmp_path / "out", {})
    write_file(root, "lmdb/lmdb_2021.csv", [f"{ANNA};2020-01-01;1"], "Pnr12;eksd;nyt")
    delivery = find_delivery(root)
    with pytest.raises(DataError, match="has no column item or vnr"):
        survey(delivery.files[0], delivery)


def test_t06_leading_zeros_come_back_and_are_told(see: Any) -> None:
    assert see("silver.lmdb_dispensings", "remarks = 'padded_item'", "item") == [("004712",)]
    assert see("silver.lpr2_adm", "patient_type = '0'", "hospital", "department", "specialty", "remarks") == [
        ("0801", "01", "01", "padded_department,padded_hospital")]  # fmt: skip


def test_t09_days_of_every_form_and_none_outside_a_life_unmarked(see: Any) -> None:
    days = see("silver.lpr2_adm", "true", "CAST(start_date AS STRING)", "CAST(end_date AS STRING)")
    assert days == [("2017-02-01", "2017-11-01"), ("2018-01-01", None), ("2018-03-01", "2018-03-03"),
                    ("2018-05-01", "2018-05-01")]  # fmt: skip
    flagged = see(
        "gold.event", "quality RLIKE 'birth|death'", "CAST(time_start AS STRING)", "quality", "status"
    )
    assert [row for row in flagged if row[1] in ("before_birth", "after_death")] == [
        ("2021-05-01 10:00:00", "before_birth", "active"),
        ("2023-08-01 10:00:00", "after_death", "active"),
    ]


def test_t10_midnight_is_no_time_and_hours_that_are_not_or_come_twice_are_told(see: Any) -> None:
    rows = see("gold.event", "code = 'ICD10//R074' AND year(time_start) = 2020", "CAST(time_start AS STRING)",
               "time_precision", "quality")  # fmt: skip
    assert ("2020-03-29 02:30:00", "minute", "no_such_time") in rows
    assert ("2020-10-25 02:30:00", "minute", "hour_twice") in rows
    assert ("2020-04-01 00:00:00", "day", None) in rows
    assert see("silver.encounter", "source_table = 'lpr2_adm' AND place = '080101'", "CAST(time_start AS STRING)",
               "time_precision") == [("2018-03-01 00:00:00", "day")]  # fmt: skip


def test_t11_every_record_says_its_register_and_the_weeks_of_the_change_are_marked(see: Any) -> None:
    sources = see("gold.event", "domain = 'diagnosis' AND status = 'active'", "source", "day < 17956")
    assert {row for row in sources if row[0] != "epj"} == {
        ("lpr2", True),
        ("minipas", True),
        ("lpr_a", False),
    }
    assert (
        see("gold.event", "quality LIKE '%register_break%'", "CAST(time_start AS DATE)", "code")[0][1]
        == "ICD10//R074"
    )
    assert len(see("gold.event", "quality LIKE '%register_break%'", "code")) == 1


def test_t12_first_occurrences_are_the_same_on_both_sides_of_the_break(see: Any) -> None:
    rows = see("gold.event", "code = 'ICD10//J459'", "person_id", "source")
    assert [row[1] for row in rows].count("lpr2") == 1 and [row[1] for row in rows].count("lpr_a") == 4
    assert len({row[0] for row in rows}) == 2


def test_t13_of_two_models_one_counts_and_no_contact_twice(see: Any) -> None:
    assert see("gold.event", "source = 'lpr_f'", "code") == []
    assert len(see("silver.lpr_f_kontakter", "true", "contact_id")) == 1
    both = see("gold.event", "code = 'ICD10//I109'", "year(time_start)", "status")
    assert both == [(2018, "superseded"), (2018, "superseded"), (2020, "active")]
    old = see("silver.lpr2_adm", "patient_type = '0'", "contact_id")
    new = see("silver.lpr_a_kontakt", "start = TIMESTAMP_NTZ'2020-01-01 08:00:00'", "contact_id")
    assert old != new
    assert see("gold.spell", "year(time_start) = 2018 AND month(time_start) IN (5, 6)", "CAST(time_start AS DATE)",
               "place")[-1][1] == "850110"  # fmt: skip


def test_t14_refuted_is_kept_and_left_out_and_not_said_is_not_refuted(see: Any) -> None:
    assert see("gold.event", "code IN ('ICD10//J189', 'ICD10//I219')", "code", "status") == [
        ("ICD10//I219", "active"), ("ICD10//J189", "refuted")]  # fmt: skip
    assert see("gold.vocabulary", "code IN ('ICD10//J189', 'ICD10//I219')", "code") == [("ICD10//I219",)]


def test_t15_extensions_go_to_their_parent_and_a_d_is_taken_off_only_where_it_is_danish(see: Any) -> None:
    pairs = dict(see("gold.event", "domain IN ('diagnosis', 'cause_of_death')", "code_raw", "code"))
    assert pairs["DE112A"] == "ICD10//E112"
    assert pairs["DM2341"] == "ICD10//M2341"
    assert pairs["DU071"] == "SKS//DU071"
    assert pairs["4280"] == "ICD8//4280"
    assert pairs["D469"] == "ICD10//D469"


def test_t16_add_ons_hang_on_their_parent_and_stand_nowhere_alone(see: Any) -> None:
    rows = see("gold.event", "code LIKE 'SKS//TUL%'", "code_role", "domain")
    assert rows == [("addon", "diagnosis")] * 2 + [("addon", "procedure")] * 2
    assert see("gold.vocabulary", "code LIKE 'SKS//TUL%'", "code") == []
    assert see("silver.lpr_a_diagnose", "kind = '+'", "parent_code") == [("DE112A",)]


def test_t17_what_was_asked_or_ruled_out_is_no_disease(see: Any) -> None:
    assert see("gold.event", "code = 'ICD10//C509'", "code_role") == [("referral",)]
    assert see("gold.vocabulary", "code = 'ICD10//C509'", "code") == []
    assert see("gold.event", "quality = 'ruled_out'", "code", "code_role") == [("ICD10//Z035", "main")]


def test_t18_procedures_find_their_person_through_the_course_or_are_told(lake: Any, see: Any) -> None:
    assert len(see("gold.event", "code = 'SKS//KNGD11'", "person_id")) == 1
    assert see("quarantine.unlinked", "source_table = 'lpr_a_procregistrering'", "row_number") == [(3,)]
    assert see("gold.event", "code = 'SKS//KJDF11'", "status") == [("entered_in_error",)]


def test_t19_contacts_become_stays_and_courses_do_not(see: Any) -> None:
    assert see("gold.spell", "time_start = TIMESTAMP_NTZ'2020-01-01 08:00:00'", "contacts", "hours", "setting") == [
        (2, 25.0, 0)]  # fmt: skip
    assert see("gold.spell", "year(time_start) = 2017", "contacts", "setting") == [(1, 1)]
    assert see("gold.event", "code = 'LPR//ADMISSION'", "year(time_start)", "source") == [
        (2018, "lpr2"),
        (2020, "lpr_a"),
    ]


def test_t20_open_contacts_have_no_end_and_young_months_are_marked(see: Any) -> None:
    still = see(
        "silver.encounter", "time_end IS NULL AND NOT superseded", "source_table", "CAST(time_start AS DATE)"
    )
    assert [row[0] for row in still] == ["lpr2_adm", "lpr2_uaf_adm", "lpr_a_kontakt"]
    marked = see("gold.event", "quality = 'incomplete_months'", "CAST(time_start AS STRING)")
    assert marked == [("2024-12-20 10:00:00",)]


def test_t22_codes_out_of_their_years_are_refused(lake: Any, see: Any) -> None:
    assert reasons(lake, "lpr2/t_adm.csv") == {"not_valid_then": 3}
    examples = see("quarantine.lpr2_adm", "reason = 'not_valid_then'", "example")
    assert ("patient_type=3 start_date=01/06/2018",) in examples and len(examples) == 3
    assert see("gold.event", "code = 'ICD10//N179'", "quality") == [("not_valid_then",)]
    assert ("lpr2_diag", 5) in see("quarantine.unlinked", "true", "source_table", "row_number")


def test_t23_a_line_taken_back_takes_its_original_with_it(see: Any) -> None:
    rows = see(
        "gold.event", "code = 'ATC//C10AA05'", "CAST(time_start AS DATE)", "status", "cost_dkk", "quantity"
    )
    assert [row[1:] for row in rows] == [("active", 1042.5, 100.0), ("reversed", 42.0, 50.0),
                                        ("reversed", -42.0, -50.0)]  # fmt: skip


def test_t24_nothing_is_made_of_what_is_not_there(see: Any) -> None:
    empty = see("silver.lmdb_dispensings", "indication IS NULL AND dosage IS NULL", "atc")
    assert len(empty) == 4
    assert see("gold.event", "source = 'lmdb' AND time_end IS NOT NULL", "code") == []


def test_t25_packages_for_a_week_count_once_a_week(see: Any) -> None:
    rows = see("gold.event", "code = 'ATC//C07AB02'", "CAST(time_start AS STRING)", "code_role", "quality")
    assert [(row[0][:10], row[1]) for row in rows] == [
        ("2020-03-02", "dispensed"), ("2020-03-04", "repeat"), ("2020-03-09", "dispensed")]  # fmt: skip
    assert {row[2] for row in rows} == {"dose_dispensed"}
    assert see("gold.event", "code = 'ATC//C07AB02' AND status = 'active'", "sum(cost_dkk)") == [(30.0,)]


def test_t26_results_are_numbers_bounds_or_words(see: Any) -> None:
    rows = see("gold.event", "source_table = 'lab_results' AND time_precision = 'minute' AND status = 'active'",
               "value_num", "value_op", "value_text", "flag")  # fmt: skip
    assert rows == [(5.0, "<", None, "N"), (90.0, ">", None, "N"), (None, None, "1+ (hæmolyse)", None),
                    (None, None, "FORHOEJET", "H"), (None, None, "POSITIV", None)]  # fmt: skip


def test_t27_units_are_made_one_and_unknown_ones_refused(lake: Any, see: Any) -> None:
    assert reasons(lake, "lab/labka_2020.csv") == {"unknown_unit": 1}
    rows = see(
        "gold.event",
        "source_table = 'lab_labka'",
        "code_raw",
        "code",
        "round(value_num, 2)",
        "unit",
        "quality",
    )
    assert ("NPU27300", "NPU//NPU27300", 58.47, "mmol/mol", None) in rows
    assert ("NPU01423", "NPU//NPU19748", 21.0, "mg/L", None) in rows
    assert ("NPU03230", "NPU//NPU03230", 41.0, "mmol/L", "implausible_value") in rows
    assert see("gold.event", "quality = 'implausible_value'", "flag") == [(None,)]


def test_t28_of_copies_the_best_counts(see: Any) -> None:
    rows = see("gold.event", "code = 'NPU//NPU02319'", "source_table", "status")
    assert rows == [("epj_results", "superseded"), ("lab_labka", "active"), ("lab_medcom", "superseded"),
                    ("lab_results", "superseded")]  # fmt: skip
    assert see("gold.event", "code = 'NPU//NPU03230' AND value_num = 4.0", "status") == [
        ("active",),
        ("active",),
    ]
    doses = see("gold.event", "code = 'ATC//J01CR02'", "source", "code_role", "status")
    assert doses == [("epj", "administered", "superseded"), ("epj", "not_given", "active"),
                     ("smr", "administered", "active")]  # fmt: skip


def test_t29_coverage_is_each_laboratorys_own_and_local_codes_stay_raw(see: Any) -> None:
    spans = see(
        "gold.event",
        "domain = 'laboratory' AND place IS NOT NULL",
        "place",
        "year(time_start)",
        "month(time_start)",
    )
    assert set(spans) == {("LAB1", 2020, 1), ("LAB2", 2020, 7)}
    assert see("gold.event", "code_system = 'LAB'", "code", "code_raw", "quality") == [
        ("LAB//LAB1/RRK01234", "RRK01234", "unit_as_delivered")]  # fmt: skip


def test_t30_observation_ends_abroad_and_annulled_absences_do_not_count(see: Any) -> None:
    ids = {name: see("gold.person", f"birth_date = DATE'{day}'", "person_id")[0][0]
           for name, day in (("anna", "1990-01-07"), ("bent", "1950-02-08"), ("carl", "1940-03-09"))}  # fmt: skip
    spans = see("gold.observation_period", "true", "person_id", "start_day", "end_day")
    mine = {name: sorted(row[1:] for row in spans if row[0] == key) for name, key in ids.items()}
    assert mine["anna"] == [(17167, 20088)]
    assert mine["bent"] == [(17167, 17532), (17897, 20088)]
    assert mine["carl"] == [(17167, 18021)]


def test_t32_sex_is_coded_one_way_and_disagreement_is_told(see: Any) -> None:
    assert {row[0] for row in see("silver.cpr_person", "true", "sex")} == {"F", "M"}
    assert see("gold.person", "quality LIKE '%sex_differs%'", "sex") == [("F",), ("F",)]
