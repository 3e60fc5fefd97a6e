"""Attack group E: an erased person is in no byte of the home, no version leads back, and a new delivery changes nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.delivery.register import gold_versions
from lakehouse.delivery.row_ids import kept
from lakehouse.delta.log import newest_version
from lakehouse.delta.tables import table_path
from lakehouse.errors import ScopeBreach
from lakehouse.governance.access.person_sets import PersonSets
from lakehouse.governance.ledger import ledger
from lakehouse.governance.persons import erasure
from lakehouse.governance.persons.erasure import Certificate, erase
from lakehouse.governance.persons.kept_results import kept_folder
from lakehouse.governance.persons.number_lists import read_numbers
from lakehouse.governance.persons.optouts import change, current
from lakehouse.governance.persons.residue import scan
from lakehouse.governance.persons.token_tables import TokenTable, delta_folders
from lakehouse.identity.pseudonyms import person_tokens, tokeniser
from lakehouse.identity.study_pseudonyms import study_key_file
from lakehouse.identity.vault import open_vault
from lakehouse.ingest.run import ingest
from lakehouse.lake import Lake
from lakehouse.private_files import write_private
from lakehouse.settings import Settings, load_settings
from tests.support.canary import files_with
from tests.support.deliveries import ANNA, BENT, CARL, contact, persons, write_delivery

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WORD = "sorthulsværdi"
PLACE = "99004081999916"


def delivery(root: Path, *, again: bool = False) -> Path:
    """Anna (to be erased), Bent (her child's father in the register, and a relative of hers) and Carl."""
    extra = [f"{CARL};2020-05-05;J459"] if again else []
    drugs = [f"{BENT};2021-03-01;472094;C10AA05;Zarator;100;1;50,0;1093;103333;1415;;38,70"] if again else []
    visits = [contact("4100004", CARL, "2021-01-01 08:00", "2021-01-02 12:00")] if again else []
    found = ["4100004;DI219;A;Nej;;;LPR3"] if again else []
    return write_delivery(
        root,
        {
            "cpr/cpr3_t_person.csv": persons(
                f"7105901238;K;01;1990-05-11;1990-05-11;{ANNA};{BENT};0101;2001-01-01"
            ),
            "lpr_f/kontakter.csv": [
                contact("4100001", ANNA, "2020-01-01 08:00", "2020-01-02 12:00", place=PLACE),
                contact("4100002", BENT, "2020-01-01 08:00", "2020-01-02 12:00"),
                contact("4100003", ANNA, "2020-02-30 08:00", ""),
                *visits,
            ],
            "lpr_f/diagnoser.csv": ["4100001;DI219;A;Nej;;;LPR3", "4100002;DI219;A;Nej;;;LPR3", *found],
            "lpr_f/procedurer_kirurgi.csv": [
                "6100001;4100001;;KJDF10;P;;99004081000018;2020-01-01;17:00:00",
                "6100002;4100002;;KJDF10;P;;99004081000018;2020-01-01;17:00:00",
            ],
            "lmdb/lmdb_2020.csv": [
                f"{ANNA};2020-02-01;472094;C10AA05;{WORD};100;1;50,0;1093;103333;1415;;38,70",
                f"{BENT};2020-02-01;472094;C10AA05;Zarator;100;1;50,0;1093;103333;1415;;38,70",
                *drugs,
            ],
            "dod/dodsaars.csv": [f"{CARL};2023-06-01;I219", *extra],
        },
        delivered="2025-02-15" if again else "2025-01-15",
    )


@dataclass
class ErasedLake:
    """A lake before and after Anna was erased from it."""

    spark: SparkSession
    settings: Settings
    root: Path
    certificate: Certificate
    tokens: dict[str, str]
    study: dict[str, str]
    before: dict[str, list[Any]]
    versions: dict[str, int]

    def rows(self, name: str) -> list[Any]:
        return rows(self.spark, self.settings, name)


TABLES = (
    "gold.person",
    "gold.event",
    "gold.timeline",
    "gold.spell",
    "silver.lmdb_dispensings",
    "bronze.lmdb_dispensings",
)


def rows(spark: SparkSession, settings: Settings, name: str) -> list[Any]:
    frame = spark.read.format("delta").load(str(table_path(settings, name)))
    return sorted((row.asDict() for row in frame.collect()), key=str)


@pytest.fixture(scope="module")
def erased(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> ErasedLake:
    root = tmp_path_factory.mktemp("erasure")
    settings = load_settings(root / "home", "test")
    ingest(Lake(spark, settings), delivery(root / "first"))
    key = settings.keys / "root.key"
    made, _ = person_tokens(str(key), [ANNA, BENT, CARL], [""] * 3)
    tokens = dict(zip(("anna", "bent", "carl"), map(str, made), strict=True))
    make = tokeniser(str(study_key_file(settings, "cut")), "study")
    study = {name: make(token.encode()) for name, token in tokens.items()}
    leave_traces(spark, settings, tokens, study)
    before = {name: rows(spark, settings, name) for name in TABLES}
    versions = {name: newest_version(table_path(settings, name)) for name in TABLES}
    (root / "numbers.txt").write_text(f"{ANNA[:6]}-{ANNA[6:]}\n")
    named, texts = read_numbers(settings, root / "numbers.txt")
    certificate = erase(Lake(spark, settings), named, texts=[*texts, WORD, PLACE])
    return ErasedLake(spark, settings, root, certificate, tokens, study, before, versions)


def leave_traces(
    spark: SparkSession, settings: Settings, tokens: dict[str, str], study: dict[str, str]
) -> None:
    """What a working lake holds of a person besides its tables: an extract, results, logs, an opt-out list."""
    frame = spark.createDataFrame([(token, "x") for token in study.values()], "person_id STRING, note STRING")
    frame.write.format("delta").save(str(settings.home / "extracts" / "cut" / "gold" / "person"))
    results = settings.results / "cut" / "run-1"
    results.mkdir(parents=True)
    pq.write_table(pa.table({"p": [*study.values()], "n": [1, 2, 3]}), results / "members.parquet")
    (settings.home / "logs").mkdir(exist_ok=True)
    (settings.home / "logs" / "job.log").write_text(f"first\nfailed on {tokens['anna']}\nlast\n")
    settings.scratch.mkdir(exist_ok=True)
    (settings.scratch / "spill.bin").write_bytes(b"\0\1" + tokens["anna"].encode())
    write_private(kept_folder(settings, "cut") / "pairs-1", b"counts of everybody")
    change(settings, "research", add=[tokens["anna"], tokens["carl"]])
    PersonSets(settings).numbers(tokens.values())


def test_e1_no_byte_of_the_person_is_left(erased: ErasedLake) -> None:
    wanted = [erased.tokens["anna"], erased.study["anna"], ANNA, WORD, PLACE]
    found, looked = files_with([erased.settings.home], wanted)
    assert found == []
    assert looked > 50
    assert erased.certificate.residues == 0
    assert erased.certificate.rows > 5
    assert not kept_folder(erased.settings, "cut").exists(), (
        "incremental counts hold everybody, the erased too"
    )
    assert not [*(erased.settings.home / "erasures").glob("staged-*")]


def test_e1_nobody_else_lost_anything(erased: ErasedLake) -> None:
    anna = erased.tokens["anna"]
    for name in TABLES:
        kept = [row for row in erased.before[name] if row.get("person_id") != anna]
        assert len(kept) < len(erased.before[name]), name
        assert erased.rows(name) == kept, name
    home = erased.settings.home
    assert pq.read_table(home / "results" / "cut" / "run-1" / "members.parquet")["p"].to_pylist() == [
        erased.study["bent"],
        erased.study["carl"],
    ]
    assert (home / "logs" / "job.log").read_text() == "first\nlast\n"
    assert current(erased.settings, "research").persons == {erased.tokens["carl"]}
    numbers = PersonSets(erased.settings).numbers(erased.tokens.values(), enter=False)
    assert (numbers >= 0).tolist() == [False, True, True]


def test_e1_records_that_only_a_contact_leads_to_are_gone_too(erased: ErasedLake) -> None:
    contact_tables = [
        path
        for path in delta_folders(erased.settings)
        if path.parent.name == "bronze"
        and ("diag" in path.name or "proc" in path.name or "kirurgi" in path.name)
    ]
    assert contact_tables
    for path in contact_tables:
        assert erased.spark.read.format("delta").load(str(path)).count() == 1, path


def test_e1_a_child_loses_her_mother_and_stays(erased: ErasedLake) -> None:
    register = erased.spark.read.format("delta").load(str(table_path(erased.settings, "silver.cpr_person")))
    (child,) = register.where("father_id IS NOT NULL").collect()
    assert (child["mother_id"], child["father_id"]) == (None, erased.tokens["bent"])


def require_no_row_ids_of_the_absent(spark: SparkSession, settings: Settings) -> None:
    """Whatever tells a delivered row again is of a row that is there and about somebody."""
    files = sorted((settings.lake / "meta" / "rows").glob("*/*.npz"))
    assert files
    for path in files:
        known = kept(path)
        assert known is not None
        there = {
            (row["file_id"], row["row_number"])
            for row in rows(spark, settings, f"bronze.{path.parent.name}")
            if row["fault"] != "erased"
        }
        places = zip(known.file.tolist(), known.row.tolist(), strict=True)
        assert {(known.files[at], row) for at, row in places} <= there, path


def test_e1_nothing_is_kept_to_know_her_rows_by(erased: ErasedLake) -> None:
    require_no_row_ids_of_the_absent(erased.spark, erased.settings)


def test_e2_no_version_leads_back(erased: ErasedLake) -> None:
    for name, version in erased.versions.items():
        path = table_path(erased.settings, name)
        for old in range(1, version + 1):
            with pytest.raises(Exception, match=r"(?i)not exist|FILE_NOT_EXIST|failed|missing"):
                frame = erased.spark.read.format("delta").option("versionAsOf", old).load(str(path))
                assert frame.collect() is None
    for name, version in gold_versions(erased.settings).items():
        assert version == newest_version(table_path(erased.settings, name))


def test_e3_the_ledger_still_verifies_and_names_nobody(erased: ErasedLake) -> None:
    ledger.verify(erased.settings)
    events = [
        entry["body"]["event"] for entry in ledger.entries(erased.settings) if entry["kind"] == "erasure"
    ]
    assert events == ["intent", "certified"]


def test_b9_the_vault_cannot_name_her(erased: ErasedLake) -> None:
    vault = open_vault(erased.settings)
    known = vault.identify(erased.tokens.values())
    assert {each.value for each in known.values()} == {BENT, CARL}


def test_e4_a_later_delivery_does_not_bring_her_back(erased: ErasedLake, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(erased.settings.home, home)
    settings = load_settings(home, "test")
    summary = ingest(Lake(erased.spark, settings), delivery(tmp_path / "second", again=True))
    found, _ = files_with([home], [erased.tokens["anna"], ANNA, WORD, PLACE])
    assert found == []
    assert all(entry.balanced for entry in summary.files)
    people = {row["person_id"] for row in rows(erased.spark, settings, "gold.person")}
    assert erased.tokens["anna"] not in people
    assert {erased.tokens["bent"], erased.tokens["carl"]} <= people
    refused = [
        row for row in rows(erased.spark, settings, "bronze.lmdb_dispensings") if row["fault"] == "erased"
    ]
    assert refused
    require_no_row_ids_of_the_absent(erased.spark, settings)
    empty = {name for row in refused for name, value in row.items() if value is not None}
    assert empty <= {"file_id", "row_number", "delivered", "fault", "fault_example"}
    assert open_vault(settings).identify([erased.tokens["anna"]]) == {}


def test_what_no_rule_can_clean_is_refused_by_name(
    erased: ErasedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = erased.settings.home / "results" / "cut" / "model.pkl"
    strange.write_bytes(b"\x80\x05" + erased.tokens["carl"].encode())
    monkeypatch.setattr(erasure, "token_tables", lambda lake: [])
    monkeypatch.setattr(erasure, "refuse_tokens", lambda settings, tokens: None)
    monkeypatch.setattr(erasure, "forget_in_vault", lambda settings, persons: True)
    monkeypatch.setattr(erasure, "scan", lambda root, needles: scan(strange.parent, needles))
    with pytest.raises(ScopeBreach, match=r"results/cut/model\.pkl"):
        erase(Lake(erased.spark, erased.settings), [erased.tokens["carl"]])
    strange.unlink()


@pytest.mark.parametrize("hidden", [False, True])
def test_purge__leaves_the_newest_version_and_nothing_else(
    spark: SparkSession, tmp_path: Path, hidden: bool
) -> None:
    """Whether rows were deleted by writing files anew or by marking them in a deletion vector."""
    path = tmp_path / "table"
    frame = spark.createDataFrame([(WORD, 1), ("kept", 2)], "word STRING, n INT").coalesce(1)
    frame.write.format("delta").option("delta.enableDeletionVectors", str(hidden).lower()).save(str(path))
    spark.sql(f"DELETE FROM delta.`{path}` WHERE n = 1")
    word = WORD.encode()
    data = [file for file in path.rglob("*.parquet") if "_delta_log" not in file.parts]
    assert any(word in file.read_bytes() for file in data)
    with erasure.purging(spark):
        erasure.purge(spark, TokenTable(path, (), (), ()))
    data = [file for file in path.rglob("*.parquet") if "_delta_log" not in file.parts]
    assert data and not any(word in file.read_bytes() for file in data)
    assert [row.word for row in spark.read.format("delta").load(str(path)).collect()] == ["kept"]
