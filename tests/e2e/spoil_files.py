"""Bring spoiled files in: each is refused with a clear error or accounted for row by row, and no number shows.

``python -m tests.e2e.spoil_files --files 300`` pseudonymises so many, then ingests all that were not refused as
one delivery with Spark, and prints one line with the figure; exits with 1 when something crashed or was lost.
"""

from __future__ import annotations

import argparse
import gzip
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from lakehouse.delivery.find import DeliveredFile, Delivery, all_sources, find_delivery
from lakehouse.delivery.readers.blocks import Part
from lakehouse.delivery.row_ids import row_ids
from lakehouse.delivery.survey import survey
from lakehouse.errors import DataError
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.ingest.pseudonymise import Pseudonymiser, read_chunk
from lakehouse.lake import Lake
from lakehouse.settings import load_settings
from tests.support.deliveries import ANNA, BENT, persons, write_delivery
from tests.support.spoiled import spoiled_file


@dataclass(frozen=True)
class Outcome:
    """What became of one spoiled file: refused, or so many rows read; ``wrong`` says what should not have been."""

    kind: str
    path: Path
    refused: bool
    rows: int = 0
    bad: int = 0
    wrong: str = ""


def physical_rows(path: Path) -> int:
    """Rows counted by the plainest means there are."""
    if path.suffix == ".parquet":
        return int(pq.read_metadata(path).num_rows)
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return sum(1 for line in data.split(b"\n") if line.strip(b"\r")) - 1


def pseudonymised_outcome(root: Path, number: int, numbers: random.Random) -> Outcome:
    """Spoil one file and read it as pseudonymisation does."""
    folder = root / "delivery"
    kind, path = spoiled_file(folder, number, numbers)
    below = PurePosixPath(path.relative_to(folder).as_posix())
    source, table = next(
        (source, table) for source in all_sources()["danish"] for table in source.tables_of(below)
    )
    delivery = Delivery(folder, "danish", "synthetic", "", None, None, None, (), ())
    key = root_key_file(load_settings(root / "home", "test"), create=True)
    try:
        file = survey(DeliveredFile(path, str(below), source, table), delivery)
        row_ids(file, key)
        parts = tuple(Part(chunk, str(below), file.columns, None, "", file.encoding) for chunk in file.chunks)
        pseudonymiser = Pseudonymiser(table, source.identifier, str(key), verbatim=False)
        rows = [
            row for part in parts for block in read_chunk(pseudonymiser, part) for row in block.to_pylist()
        ]
    except DataError as refused:
        shows = "shows a number" if ANNA in str(refused) or BENT in str(refused) else ""
        return Outcome(kind, path, True, wrong=shows)
    except Exception as crash:
        return Outcome(kind, path, False, wrong=f"{type(crash).__name__}: {crash}")
    wrong = ""
    if len(rows) != physical_rows(path):
        wrong = f"{len(rows)} of {physical_rows(path)} rows"
    elif ANNA in str(rows) or BENT in str(rows):
        wrong = "a number passed pseudonymisation"
    elif any(row["fault"] and not row["fault_example"] for row in rows):
        wrong = "a bad row without an example"
    return Outcome(kind, path, False, len(rows), sum(1 for row in rows if row["fault"]), wrong)


def ingest_all(root: Path, outcomes: list[Outcome]) -> str:
    """Ingest every file that was not refused as one delivery; what is wrong with the balance, empty when nothing is."""
    from lakehouse.ingest.run import ingest
    from lakehouse.session import spark_session

    settings = load_settings(root / "home", "test")
    for outcome in outcomes:
        if outcome.refused:
            outcome.path.unlink()
    write_delivery(root / "delivery", {"cpr/cpr3_t_person.csv": persons()})
    expected = {
        each.path.relative_to(root / "delivery").as_posix(): each for each in outcomes if not each.refused
    }
    find_delivery(root / "delivery")
    spark = spark_session(settings)
    try:
        summary = ingest(Lake(spark, settings), root / "delivery")
    finally:
        spark.stop()
    for entry in summary.files:
        outcome = expected.get(entry.name)
        if not entry.balanced or (outcome and entry.rows_in != outcome.rows):
            return f"{entry.name} does not balance"
        if outcome and entry.rows_quarantine < outcome.bad:
            return f"{entry.name}: {entry.rows_quarantine} in quarantine, {outcome.bad} bad rows at pseudonymisation"
    return ""


def main() -> int:
    """Command line: print the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--no-spark", action="store_true", help="Read and pseudonymise only.")
    arguments = parser.parse_args()
    numbers = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [pseudonymised_outcome(Path(folder), number, numbers) for number in range(arguments.files)]
        wrong = [f"{each.kind}: {each.wrong}" for each in outcomes if each.wrong]
        if not wrong and not arguments.no_spark and (told := ingest_all(Path(folder), outcomes)):
            wrong.append(told)
    refused = sum(each.refused for each in outcomes)
    rows, bad = sum(each.rows for each in outcomes), sum(each.bad for each in outcomes)
    verdict = "nothing lost" if not wrong else f"WRONG: {'; '.join(wrong[:5])}"
    print(
        f"{len(outcomes)} spoiled files: {refused} refused, {rows} rows of the others accounted for, {bad} of them bad: "
        f"{verdict} (seed {arguments.seed})"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
