"""No clear identifier leaves pseudonymisation: every file the platform writes is searched for canaries, byte by byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.canary import files_with
from tests.support.deliveries import BENT, CARL, contact, persons, write_delivery, write_file

CANARY = "7105901238"
HIDDEN = "110590-1239"
KEY = "4815162342108815"

INGEST = """
import sys
from pathlib import Path
from lakehouse.errors import PatternlakeError
from lakehouse.ingest.run import ingest
from lakehouse.session import spark_session
from lakehouse.lake import Lake
from lakehouse.settings import load_settings
settings = load_settings(sys.argv[1], "test")
spark = spark_session(settings, spark__eventLog__enabled="true", spark__eventLog__dir=f"file://{sys.argv[2]}",
    spark__eventLog__compress="false", spark__shuffle__service__enabled="false")
for folder in sys.argv[3:]:
    try:
        print(ingest(Lake(spark, settings), Path(folder)))
    except PatternlakeError as error:
        print("refused:", error)
spark.stop()
"""


def bad_deliveries(root: Path) -> list[Path]:
    """Deliveries that are refused, each with the canary where a careless message would repeat it."""
    headless = write_delivery(root / "headless", {})
    write_file(headless, "cpr/cpr3_t_person.csv", [], header=persons()[0].replace("6701901234", CANARY))
    cut = write_delivery(root / "cut", {"dod/dodsaars.csv": [f"{CANARY};2020-01-01;I219"]})
    path = cut / "dod" / "dodsaars.csv"
    path.write_bytes(path.read_bytes()[:-12])
    return [headless, cut]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Home of a lake in a process of its own, with the event log on, and everything the process printed."""
    root = tmp_path_factory.mktemp("canary")
    note = f"patient {HIDDEN} ({CANARY})"
    delivery = write_delivery(
        root / "out",
        {
            "cpr/cpr3_t_person.csv": persons(
                f"{CANARY};K;01;1990-05-11;1990-05-11;{BENT};{CARL};0101;2001-01-01"
            ),
            "lpr_f/kontakter.csv": [
                contact(KEY, CANARY, "2020-01-01 08:00", "2020-01-02 08:00"),
                contact("42", CANARY, "2020-01-01 08:00", "2020-01-02 08:00").replace("Kirurgi", note),
                contact("43", f"{CANARY}x", "2020-01-01 08:00", ""),
                contact("44", CANARY, "2020-02-30 08:00", ""),
            ],
            "lpr_f/diagnoser.csv": [f"{KEY};DI219;A;{note};;;LPR3", f"{KEY};DI219;A;Nej;{note};;LPR3"],
            "lmdb/lmdb_2020.csv": [
                f"{CANARY};2020-02-01;472094;C10AA05;{note};100;2;50,0;1093;103333;1415;;1,50",
                f"{CANARY};2020-02-01;472094;{CANARY};x;100;2;50,0;1093;103333;1415;;1,50",
                f"{CANARY};{HIDDEN};472094;C10AA05;x;100;2;50,0;1093;103333;1415;;1,50",
                f"{CANARY};one;field;too;many;{CANARY};;;;;;;;;;",
                f'"{CANARY};unclosed',
            ],
            "lab/lab_forsker_2020.csv": [f"{CANARY};2020-01-10;08:15:00;NPU27300;{note};;;;;{HIDDEN}"],
            "dod/dodsaars.csv": [f"{CANARY[:6]}-{CANARY[6:]};2020-01-01;I219", f"00{CANARY};2020-01-02;I219"],
        },
    )
    (delivery / f"{CANARY}.txt").write_text("x")
    home, log = root / "home", root / "home" / "events"
    log.mkdir(parents=True)
    run = subprocess.run(
        [sys.executable, "-c", INGEST, str(home), str(log), *map(str, [delivery, *bad_deliveries(root)])],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    return home, run.stdout + run.stderr


def test_no_file_of_the_platform_holds_a_canary(ingested: tuple[Path, str]) -> None:
    home, _ = ingested
    found, looked = files_with([home], [CANARY, HIDDEN.replace("-", ""), KEY])
    assert found == []
    assert looked > 50
    assert any((home / "events").iterdir())


def test_no_message_holds_a_canary(ingested: tuple[Path, str]) -> None:
    _, printed = ingested
    assert printed.count("refused:") == 2
    assert "bad_cpr_length 1" in printed
    assert CANARY not in printed
    assert HIDDEN not in printed
    assert KEY not in printed


def test_the_key_stands_nowhere_but_in_its_file(ingested: tuple[Path, str]) -> None:
    home, _ = ingested
    key = (home / "keys" / "root.key").read_bytes()
    others = [path for path in home.rglob("*") if path.is_file() and path.parent != home / "keys"]
    assert not [
        path for path in others if key in path.read_bytes() or key.hex().encode() in path.read_bytes()
    ]


def test_the_scan_finds_what_is_there(tmp_path: Path) -> None:
    import gzip

    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": [CANARY] * 3}), tmp_path / "a.parquet", compression="zstd")
    (tmp_path / "b.gz").write_bytes(gzip.compress(CANARY.encode()))
    (tmp_path / "c.bin").write_bytes(CANARY.encode("utf-16-le"))
    (tmp_path / "d.txt").write_text("nothing")
    assert files_with([tmp_path], [CANARY]) == (
        [str(tmp_path / name) for name in ("a.parquet", "b.gz", "c.bin")],
        4,
    )
