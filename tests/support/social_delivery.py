"""A hand-written delivery of primary care, municipality, quality, social and reference sources: a few rows each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.deliveries import ANNA, BENT, CARL, contact, persons, write_delivery, write_file

EVA, DORA, EMIL, FREJA = "7005154002", "6101801236", "6102124001", "6103144002"
"""Eva (2015) is Anna's child; Dora (1980) has Emil (2012) and Freja (2014)."""
CPR, FSIII = "urn:oid:1.2.208.176.1.2", "urn:oid:1.2.208.176.2.21"
UNIT = "98001011000016"
PERSONS = persons(
    f"{EVA};K;01;2015-05-10;2015-05-10;{ANNA};;0101;2015-05-10",
    f"{DORA};K;01;1980-01-01;1980-01-01;;;0101;2001-01-01",
    f"{EMIL};M;01;2012-02-01;2012-02-01;{DORA};;0101;2012-02-01",
    f"{FREJA};K;01;2014-03-01;2014-03-01;{DORA};;0101;2014-03-01",
)
SSSY = (
    "pnr;ydernr;speciale;ydlant;ydtyp;ydltid;afrper;honuge;bruhon;barnmak;kontakt;patgrp;sikgrup;koenimp;"
    "alderimp;behandlingsdato"
)


def fee(person: str, week: str, child: str = "0", day: str = "", fee: str = "1.155,40") -> str:
    """A line of the fee register: two services."""
    return f"{person};12345;800101;2;1;1;202001;{week};{fee};{child};1;1;1;0;0;{day}"


def answers(number: str, person: str, instrument: str, given: dict[str, str]) -> list[str]:
    """Lines of one answered questionnaire, by item."""
    end = f";;2022-01-0{7 if instrument == 'WHO5' else 6} 10:00:00;;WEB;;{UNIT}"
    return [f"{number};{person};{instrument};1.0;{item};{answer}{end}" for item, answer in given.items()]


TEXT: dict[str, tuple[str, list[str]]] = {
    "sssy/sssy_2020.csv": (
        SSSY,
        [
            fee(BENT, "0523"),
            fee(BENT, "523"),
            fee(ANNA, "2002", "1"),
            fee(ANNA, "1401", "1"),
            fee(DORA, "2002", "1"),
            fee(BENT, "2002", "1"),
            fee(BENT, "2160"),
            fee(BENT, "2120", "0", "2021-05-19"),
            fee(BENT, "2002", "0", "", "1155.40"),
        ],
    ),
    "gp/gp_contact_2020.csv": (
        "pnr;ydernr;dt;type;icpc2;sks",
        [f"{ANNA};103333;2020-02-03;KONS;T90;DE119", f"{BENT};103333;2020-02-04;EKONS;;"],
    ),
    "gp/gp_measure_2020.csv": (
        "pnr;ydernr;dt;npu;value;unit",
        [f"{ANNA};103333;2020-02-03;NPU27300;52,5;mmol/mol"],
    ),
    "gp/gp_list.csv": ("pnr;ydernr;fra;til", [f"{ANNA};103333;2001-01-01;"]),
    "eoj/besog_2020.csv": (
        "pnr;sor;planlagt_start;faktisk_start;minutter;personalegruppe;ydelse;status",
        [
            f"{CARL};{UNIT};2020-03-01 08:00:00;2020-03-01 08:10:00;20;SSA;H1.1;UDFØRT",
            f"{CARL};{UNIT};2020-03-02 08:00:00;;0;SSA;H1.1;AFLYST",
        ],
    ),
    "eoj/medicingivning_2020.csv": (
        "pnr;sor;ordination;tidspunkt;atc;status",
        [
            f"{CARL};{UNIT};71;2020-03-01 08:12:00;C10AA05;GIVET",
            f"{CARL};{UNIT};71;2020-03-02 08:12:00;C10AA05;AFVIST",
        ],
    ),
    "eoj/bolig.csv": ("pnr;sor;boligtype;fra;til", [f"{CARL};{UNIT};PLEJEHJEM;2021-01-01;2023-06-01"]),
    "rkkp/karbase_v1_2018.csv": (
        "Reg_CPR;Org_rap;Beh_dato;Beh_operation;Beh_side;Reg_sukkersyge;Reg_ryger;Beh_krea;Reg_ny_variabel",
        [
            f"{BENT};7003A20;17/05/2018;KPAF20;TUL1;Y;N;84,5;x",
            f"{BENT};7003A20;1/6/2018;KPEH12;TUL2;;not_performed;;",
        ],
    ),
    "rkkp/dvdd_2021.csv": (
        "Reg_CPR;Org_rap;Reg_aar;FU_statusdato;Reg_diabetestype;Beh_hba1c",
        [f"{ANNA};7003A20;2021;03/04/2021;type1;61,0", f"{BENT};7003A20;2021;;type2;"],
    ),
    "pro/pro_svar_2022.csv": (
        "response_id;pnr;instrument;version;item_code;answer_code;answer_text;answered_at;sent_at;mode;"
        "algorithm_colour;sor",
        [
            f"5;{ANNA};TELEPRO;1.0;1;3;ring til {BENT[:6]}-{BENT[6:]};2022-01-05 10:00:00;;WEB;rød;{UNIT}",
            f"5;{ANNA};TELEPRO;1.0;2;1;;2022-01-05 10:00:00;;WEB;rød;{UNIT}",
            f"6;{ANNA};EQ5D5L;1.0;MO;9;;2022-01-06 10:00:00;;PAPER;;{UNIT}",
            *answers(
                "7", BENT, "EQ5D5L", {"MO": "5", "SC": "5", "UA": "5", "PD": "5", "AD": "5", "VAS": "10"}
            ),
            *answers("8", BENT, "EQ5D5L", {"MO": "1", "SC": "2", "UA": "3", "PD": "4", "AD": "9"}),
            *answers("9", CARL, "EQ5D5L", {"MO": "2", "SC": "1", "UA": "1", "PD": "3", "AD": "1"}),
            *answers("10", CARL, "WHO5", {"1": "5", "2": "0", "3": "3", "4": "4", "5": "1"}),
            *answers("11", CARL, "WHO5", {"1": "5", "2": "0", "3": "3", "4": "4"}),
        ],
    ),
    "dpsd/haendelser_2023.csv": (
        "sagsnr;pnr;sagsstatus;oprettet;haendelsesdato;haendelsestid;overskrift;beskrivelse;lokation_sor;"
        "hovedgruppe;faktisk_konsekvens;mulig_konsekvens;alvorlighed;atc;covid19",
        [
            f"1;{CARL};Afsluttet;2023-03-02;2023-03-01;14:30;Fald;Carl {CARL} faldt;{UNIT};4;;;mild;;Nej",
            f"2;{ANNA};Afsluttet;2023-08-02;2023-08-01;;Medicin;x;{UNIT};3;ingen;dødelig;;N02AA01;Nej",
            f"3;;Afsluttet;2023-08-02;2023-08-01;;Medicin;x;{UNIT};3;alvorlig;alvorlig;;;Nej",
        ],
    ),
    "dpsd/samlerapporter.csv": (
        "maaned;kommune;lokation_sor;type;antal",
        [f"2023-08;0751;{UNIT};FALD;14", f"2023-09;751;{UNIT};FALD;9"],
    ),
    "lpr_f/kontakter.csv": (
        "",
        [
            contact("41", ANNA, "2020-01-01 08:00", "2020-01-03 12:00"),
            contact("42", BENT, "2020-02-01 08:00", "2020-02-01 09:00"),
        ],
    ),
    "drg/drg_kontakt_2020.csv": (
        "dw_ek_kontakt;drg_kode;c_mdc;v_totpris;v_pris;v_langpris;takstaar;overgangskontakt_dyreste",
        ["41;05MP09;5;29.800,50;29.800,50;0;2020;", "42;50AB01;50;1900.00;1900,00;0;2020;"],
    ),
    "lpr2/t_adm_2018.csv": (
        "k_recnum;v_cpr;c_sgh;c_afd;c_pattype;d_inddto;v_indtime;v_indminut;d_uddto;v_udtime",
        [f"9;{BENT};1301;10;0;2018-03-01;08;00;2018-03-04;08"],
    ),
    "drg/t_drg_2018.csv": (
        "v_recnum;c_drg;c_mdc;v_pris;v_langpris;v_totpris;v_genoppris;v_trimpkt;v_sengdag;c_kom",
        ["9;08OP30;8;71.200,00;2.650,50;73.850,50;;8;3;461", "10;08OP30;8;1,00;0;1,00;;8;0;461"],
    ),
    "drg/psykiatri_takster.csv": ("aar;ydelse;takst", ["2018;SENGEDAG;3.900,00", "2018;UGE;1,00"]),
    "drg/omkostninger_2020.csv": ("dw_ek_kontakt;omkostningsgruppe;beloeb", ["41;SENGEAFSNIT;12.000,00"]),
    "drg/drg_takster.csv": (
        "aar;drg_kode;tekst;takst;trimpunkt;langliggertakst",
        ["2020;05MP09;Kredsløbssygdomme;29800;11;2650"],
    ),
    "priser/medicinpriser.csv": (
        "vnr;gyldig_fra;gyldig_til;aip;esp",
        ["472094;2020-01-01;2020-06-30;20,00;30,00", "472094;2020-07-01;;20,00;40,00"],
    ),
    "lmdb/lmdb_2020.csv": (
        "",
        [
            f"{ANNA};2020-08-01;472094;C10AA05;Atorvastatin;100;2;50,0;1093;103333;1415;;",
            f"{ANNA};2020-08-02;472094;C10AA05;Atorvastatin;100;1;50,0;1093;103333;1415;;12,00",
        ],
    ),
    "dst/faik_2019.csv": ("familie_id;aar;famaekvivadisp_13", ["f1;2019;250.000,00"]),
    "dst/ind_2019.csv": ("pnr;aar;perindkialt_13;loenmv_13", [f"{ANNA};2019;312.500,00;300000,00"]),
    "dream/dream.csv": (
        "PNR;y_1851;y_1852;y_1901;y_1902;y_1903",
        [f"{ANNA};890;890;890;;890", f"{BENT};;998;998;998;998"],
    ),
    "forskning/variants.csv": (
        "sample_no;Gene;Transcript_ID;g.code;c.code;p.code;Exon;VAF;Count;Coverage",
        ["S1;TP53;NM_000546.6;g.1C>T;c.1C>T;p.R1H;4;12,5%;10;80", "S9;KRAS;;;;;;0,2;1;5"],
    ),
    "sor/sor_export.csv": (
        "Enhedsnavn;Enhedstype;SOR-type;Gaeldende_fra_dato;Ophoert_dato;SghAfd-kode;SOR-kode;Parent-SOR-kode;"
        "Institutionsejer;Sundhedsinstitution;Ydernummer;Region;Hovedspeciale;CVR;P-nummer",
        [
            f"Ã˜st plejecenter;Kommunal enhed;;2007-01-01;;;{UNIT};;;;;1082;;;",
            "K?benhavn sygepleje;Kommunal enhed;;2007-01-01;;;98002011000016;;;;;1084;;;",
        ],
    ),
}
FIXED = {
    "shak/SHAKCOMPLETE.TXT": [
        "7003   20070101200701012500010" + "1" + "Aarhus".ljust(120) + "1082",
        "7003A2020070101200701012018123" + "1" + "Karkirurgisk afsnit".ljust(120) + "1082",
        "7003A2020190101201901012500010" + "1" + "Hjerteafsnit Ø".ljust(120) + "1082",
    ],
    "sks/SKScomplete.txt": [
        "dia" + "DE119".ljust(20) + "199401012020010125000101" + "Type 2-diabetes".ljust(120) + "4".ljust(6),
        "opr"
        + "KPAF20".ljust(20)
        + "199601012020010125000101"
        + "Bypass på bækkenpulsåre".ljust(120)
        + "4".ljust(6),
    ],
}


def resource(kind: str, key: str, version: int, **rest: Any) -> dict[str, Any]:
    """A FHIR resource."""
    return {"resourceType": kind, "id": key, "meta": {"versionId": str(version)}, **rest}


def fsiii(code: str) -> dict[str, Any]:
    """A code of Fælles Sprog III."""
    return {"coding": [{"system": FSIII, "code": code}]}


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    """Resources in an envelope."""
    entries = [{"fullUrl": f"{r['resourceType']}/{r['id']}", "resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def care_bundles() -> list[dict[str, Any]]:
    """Carl's record, twice: dressing in four code forms; one of the conditions changed in the second bundle."""
    citizen = resource(
        "Patient",
        "p1",
        1,
        identifier=[{"system": CPR, "value": CARL}],
        managingOrganization={"identifier": {"system": "urn:oid:1.2.208.176.1.1", "value": UNIT}},
    )
    about = {"subject": {"reference": "Patient/p1"}}
    uuid = "00000000-0000-4000-8000-00000000002e"
    forms = ("J1.3", uuid, uuid.replace("-", "_"), "Af_og_paaklaedning")
    conditions = [
        resource(
            "Condition",
            f"c{k}",
            1,
            code=fsiii(code),
            severity=fsiii("B3"),
            recordedDate=f"2020-03-0{k + 1}",
            **about,
        )
        for k, code in enumerate(forms)
    ]
    worse = conditions[0] | {"meta": {"versionId": "2"}, "severity": fsiii("B4")}
    plan = resource(
        "CarePlan",
        "k1",
        1,
        activity=[{"detail": {"code": fsiii("H1.1")}}, {"detail": {"code": fsiii("G1.20")}}],
        period={"start": "2020-03-05"},
        **about,
    )
    done = resource(
        "Procedure", "d1", 1, code=fsiii("H1.1"), performedPeriod={"start": "2020-03-06"}, **about
    )
    rating = resource(
        "Observation",
        "o1",
        1,
        code=fsiii("J1.3"),
        valueCodeableConcept=fsiii("D2"),
        effectiveDateTime="2020-03-07",
        **about,
    )
    goal = resource(
        "Goal",
        "g1",
        1,
        lifecycleStatus="active",
        description=fsiii(uuid),
        target=[{"detailCodeableConcept": fsiii("B2")}],
        startDate="2020-03-05",
        **about,
    )
    met = [
        resource("Encounter", f"e{number}", 1, status=state, period={"start": day}, **about)
        for number, (state, day) in enumerate(
            (("finished", "2020-03-06"), ("planned", "2020-04-06"), ("cancelled", "2020-03-20"))
        )
    ]
    return [
        bundle(citizen, *conditions, plan, done, rating, goal, *met),
        bundle(citizen, worse, *conditions[1:]),
    ]


def home_measurements() -> list[dict[str, Any]]:
    """The same value uploaded twice, on a summer morning."""
    one = resource(
        "Observation",
        "t1",
        1,
        subject={"identifier": {"system": CPR, "value": BENT}},
        effectiveDateTime="2022-07-01T06:30:00Z",
        code={"coding": [{"system": "http://npu-terminology.org", "code": "NPU27280"}]},
        valueQuantity={"value": 92.5, "code": "%"},
        method={"coding": [{"code": "device"}]},
        performer=[{"identifier": {"value": UNIT}}],
    )
    return [one, one | {"meta": {"versionId": "2"}}]


def write_lines(path: Path, documents: list[dict[str, Any]]) -> None:
    """Documents one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in documents), encoding="utf-8"
    )


def write_social(root: Path) -> Path:
    """The whole delivery."""
    from lakehouse.synthetic.sas_file import write_sas

    write_delivery(root, {"cpr/cpr3_t_person.csv": PERSONS})
    for name, (header, rows) in TEXT.items():
        path = write_file(root, name, rows, header)
        if name.startswith("pro/"):
            path.write_bytes(path.read_bytes().decode("cp1252").encode())
    for name, lines in FIXED.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes("".join(f"{line}\n" for line in lines).encode("latin-1"))
    write_lines(root / "eoj" / "bundle_2020.ndjson", care_bundles())
    write_lines(root / "telemedicin" / "observationer.ndjson", home_measurements())
    import datetime

    old, new = datetime.date(2005, 12, 31), datetime.date(2019, 12, 31)
    bef = [
        (ANNA, old, 2, datetime.date(1990, 1, 7), 707, "f1"),
        (ANNA, new, 2, datetime.date(1990, 1, 7), 707, "f1"),
        (BENT, datetime.date(2020, 1, 1), 1, datetime.date(1950, 2, 8), 751, "f2"),
        (BENT, None, 1, datetime.date(1950, 2, 8), 751, "f2"),
    ]
    columns = {
        "PNR": "$",
        "REFERENCETID": "DATE9.",
        "KOEN": "",
        "FOED_DAG": "DATE9.",
        "KOM": "",
        "FAMILIE_ID": "$",
    }
    write_sas(root / "dst" / "bef_2019.sas7bdat", columns, bef)
    tables = {
        "dst/udda_2019.parquet": pa.table(
            {"pnr": [ANNA, "412345678901", BENT], "aar": [2019] * 3, "hfaudd": ["4112", "4112", "7777"]}
        ),
        "dst/akm_2019.parquet": pa.table({"pnr": [ANNA], "aar": [2019], "socio13": [134]}),
        "forskning/samples.parquet": pa.table(
            {
                "patientid": [ANNA],
                "SAMPLE_ID": ["S1"],
                "biobank": ["DCB"],
                "material": ["BLOOD"],
                "date": [datetime.date(2020, 5, 5)],
            }
        ),
    }
    for name, table in tables.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    return root
