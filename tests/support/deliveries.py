"""Small deliveries written by hand: Danish files from rows of text, MEDS data sets from tuples."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HEADERS = {
    "cpr/cpr3_t_person.csv": "v_pnr;c_kon;c_status;d_foddato;d_status_hen_start;v_mor_pnr;v_far_pnr;kom;kom_fra",
    "cpr/cpr3_t_adresse_udland.csv": "v_pnr;d_udrejse_dato;d_indrejse_dato;c_annkor",
    "cpr/cpr3_dansk_ophold_periode.csv": "v_pnr;dk_adresse_start;dk_adresse_slut",
    "lpr_f/kontakter.csv": "dw_ek_kontakt;dw_ek_forloeb;cpr;sorenhed_ans;enhedstype_ans;hovedspeciale_ans;"
    "region_ans;dato_start;tidspunkt_start;dato_slut;tidspunkt_slut;kontakttype;kontaktaarsag;prioritet;"
    "aktionsdiagnose;dato_indberetning;lprindberetningssystem",
    "lpr_f/forloeb.csv": "dw_ek_forloeb;cpr",
    "lpr_f/diagnoser.csv": "dw_ek_kontakt;diagnosekode;diagnosetype;senere_afkraeftet;diagnosekode_parent;"
    "diagnosetype_parent;lprindberetningssystem",
    "lpr_f/procedurer_kirurgi.csv": "procedureregistrering_id;dw_ek_kontakt;dw_ek_forloeb;procedurekode;"
    "proceduretype;procedurekode_parent;sorenhed_pro;dato_start;tidspunkt_start",
    "lmdb/lmdb_2020.csv": "pnr;eksd;vnr;atc;name;packsize;apk;volume;indo;recu;ibnr;korr;eksp",
    "lab/lab_forsker_2020.csv": "patient_cpr;samplingdate;samplingtime;analysiscode;value;operator;unit;"
    "referenceinterval_lowerlimit;referenceinterval_upperlimit;laboratorium_idcode",
    "dod/dodsaars.csv": "pnr;d_dodsdato;c_dod1a",
    "sor/organisationer.csv": "sorenhed;sorenhed_tekst;sorenhed_type;institutionsejer;sundhedsinstitution;"
    "hovedspeciale;shak_sgh;shak_afd;region;gyldig_fra;gyldig_til",
}
UTF8 = ("cpr", "epj", "lab")
ANNA, BENT, CARL = "6701901234", "6802501235", "6903401237"
"""Three unissuable numbers (day + 60): born 1990-01-07, 1950-02-08, 1940-03-09."""


def write_file(root: Path, name: str, rows: Sequence[str], header: str = "") -> Path:
    """One file of a Danish delivery, in the encoding it comes in."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in [header or HEADERS[name], *rows])
    encoding = "utf-8-sig" if name.startswith("cpr") else "utf-8" if name.startswith(UTF8) else "cp1252"
    path.write_bytes(text.encode(encoding))
    return path


def write_delivery(
    root: Path, files: Mapping[str, Sequence[str]], *, kind: str = "synthetic", delivered: str = "2025-01-15"
) -> Path:
    """A Danish delivery with its note."""
    root.mkdir(parents=True, exist_ok=True)
    note = f'format = "danish"\nkind = "{kind}"\ndelivered = {delivered}\n'
    (root / "delivery.toml").write_text(note + "covers_from = 2017-01-01\ncovers_to = 2024-12-31\n")
    for name, rows in files.items():
        write_file(root, name, rows)
    return root


def persons(*more: str) -> list[str]:
    """Rows of the person register for Anna, Bent and Carl (dead since 2023)."""
    return [
        f"{ANNA};K;01;1990-01-07;1990-01-07;;;0101;2001-01-01",
        f"{BENT};M;01;1950-02-08;1950-02-08;;;0751;2001-01-01",
        f"{CARL};M;90;1940-03-09;2023-06-01;;;0851;2001-01-01",
        *more,
    ]


def contact(
    number: str, person: str, start: str, stop: str, *, acute: bool = False, place: str = "99004081000016"
) -> str:
    """A row of contacts; ``start`` and ``stop`` as ``2020-01-01 08:00``, an empty stop for an open one."""
    end_day, _, end_time = stop.partition(" ")
    day, _, time = start.partition(" ")
    stop_time = f"{end_time}:00" if end_time else ""
    priority = "ATA1" if acute else "ATA3"
    who = f"{number};5{number[1:]};{person};{place};ambulatorium;Kirurgi;1084"
    when = f"{day};{time}:00;{end_day};{stop_time}"
    return f"{who};{when};ALCA00;ALCC01;{priority};DI219;{day};LPR3"


def write_meds(
    root: Path, rows: Sequence[tuple[int, str | None, str, float | None]], *, name: str = "tiny"
) -> Path:
    """A MEDS data set: (subject, ISO time or None, code, value) rows in one Parquet file."""
    times = [None if time is None else datetime.datetime.fromisoformat(time) for _, time, _, _ in rows]
    table = pa.table(
        {
            "subject_id": pa.array([row[0] for row in rows], pa.int64()),
            "time": pa.array(times, pa.timestamp("us")),
            "code": pa.array([row[2] for row in rows], pa.string()),
            "numeric_value": pa.array([row[3] for row in rows], pa.float32()),
        }
    )
    for folder in ("data/train", "metadata"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    pq.write_table(table, root / "data" / "train" / "0.parquet")
    (root / "metadata" / "dataset.json").write_text(f'{{"dataset_name": "{name}"}}')
    codes = sorted({row[2] for row in rows})
    described = pa.table({"code": codes, "description": [f"about {code}" for code in codes]})
    pq.write_table(described, root / "metadata" / "codes.parquet")
    return root
