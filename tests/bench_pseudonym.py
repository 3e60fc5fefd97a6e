"""``python -m tests.bench_pseudonym``: rows with person numbers brought into Delta tables with pseudonyms and without.

The same files, the same reading, the same Spark session; only that the one run hands the number on as it stands. Each
contender runs three times in turn after a warm-up, the best counts; then the same with twice and four times the rows. The
vault's taking in of the persons is shown apart, since it happens once for a person and not once for a delivery.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lakehouse.delivery.find import find_delivery
from lakehouse.delivery.row_ids import compare as compare_rows
from lakehouse.delivery.row_ids import row_ids
from lakehouse.delivery.survey import survey
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.identity.vault import init_vault, open_vault
from lakehouse.ingest import layers as landing
from lakehouse.lake import Lake
from lakehouse.settings import Settings, load_settings
from tests.support.ratios import record

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

    from lakehouse.delivery.readers.blocks import Part
    from lakehouse.ingest.pseudonymise import Pseudonymiser

PROMISED = 1.5
REPEATS = 3
FILES = 4


def write_files(root: Path, rows: int, persons: int, seed: int) -> Path:
    """Deaths as a Danish delivery: person number, date, code; day + 60, so that nobody has such a number."""
    rng = np.random.default_rng(seed)
    day, month, year = (
        rng.integers(61, 89, persons),
        rng.integers(1, 13, persons),
        rng.integers(0, 100, persons),
    )
    serial = rng.integers(0, 9990, persons)
    numbers = np.char.add(
        np.char.add(np.char.mod("%02d", day), np.char.mod("%02d", month)),
        np.char.add(np.char.mod("%02d", year), np.char.mod("%04d", serial)),
    )
    (root / "dod").mkdir(parents=True)
    (root / "delivery.toml").write_text('format = "danish"\nkind = "synthetic"\ndelivered = 2025-01-15\n')
    for number in range(FILES):
        chosen = rng.choice(numbers, rows // FILES)
        dates = np.datetime_as_string(np.datetime64("2000-01-01") + rng.integers(0, 9000, len(chosen)))
        lines = np.char.add(np.char.add(chosen, ";"), np.char.add(dates, ";I219;;;"))
        path = root / "dod" / f"dodsaars_{2001 + number}.csv"
        path.write_text(
            "pnr;d_dodsdato;c_dod1a;c_dod1b;c_dod1c;c_dodtilgrundl_acme\n" + "\n".join(lines.tolist()) + "\n"
        )
    return root


def write(spark: SparkSession, settings: Settings, delivery_root: Path, *, plain: bool) -> float:
    """Seconds to bring the delivery through pseudonymisation into its Delta tables."""
    delivery = find_delivery(delivery_root)
    files = [survey(found, delivery) for found in delivery.files]
    shutil.rmtree(settings.lake, ignore_errors=True)
    shutil.rmtree(settings.vault / "inbox", ignore_errors=True)
    (settings.vault / "inbox").mkdir(mode=0o700)
    key = root_key_file(settings, create=True)
    changes = {file: compare_rows(row_ids(file, key), file.file_id, None) for file in files}
    began = time.perf_counter()
    with passed_on() if plain else as_always():
        landing.land(Lake(spark, settings), files[0].found.table, changes, key)
    return time.perf_counter() - began


@contextmanager
def as_always() -> Iterator[None]:
    """Pseudonymisation as it is."""
    yield


@contextmanager
def passed_on() -> Iterator[None]:
    """A pseudonymiser that hands numbers on as they stand: what the same writing costs without pseudonyms."""

    def plainly(pseudonymiser: Pseudonymiser, part: Part) -> Iterator[pa.Table]:
        from lakehouse.ingest.pseudonymise import Block, read_chunk

        def persons(self: Block, each: Any, values: Any, places: Any) -> Any:
            return values.take(places)

        kept: Any = Block.persons
        Block.persons = persons  # type: ignore[method-assign]
        try:
            yield from read_chunk(pseudonymiser, part)
        finally:
            Block.persons = kept  # type: ignore[method-assign]

    kept: Any = landing.read_chunk
    landing.read_chunk = plainly
    try:
        yield
    finally:
        landing.read_chunk = kept


def compare(spark: SparkSession, settings: Settings, root: Path) -> tuple[float, float]:
    """Best seconds without and with pseudonyms, in turn."""
    plain, keyed = [], []
    for _ in range(REPEATS):
        plain.append(write(spark, settings, root, plain=True))
        keyed.append(write(spark, settings, root, plain=False))
    return min(plain), min(keyed)


def main() -> int:
    """Print the ratio and the slope; 1 when pseudonyms cost more than promised."""
    from lakehouse.session import spark_session

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = load_settings(home / "home", "local")
        root_key_file(settings, create=True)
        init_vault(settings)
        spark = spark_session(settings, "bench-pseudonym")
        sizes = [given.rows // 4, given.rows // 2, given.rows]
        write(spark, settings, write_files(home / "warm", 40_000, 8_000, 1), plain=False)
        times = []
        for number, rows in enumerate(sizes):
            root = write_files(home / f"d{number}", rows, rows // 5, number + 2)
            plain, keyed = compare(spark, settings, root)
            times.append(keyed)
            print(
                f"{rows:>11,} rows of {rows // 5:,} persons: {plain:.1f} s without, {keyed:.1f} s with: {keyed / plain:.2f}"
            )
        spark.stop()
        began = time.perf_counter()
        new = open_vault(settings).collect()
        print(f"taken into the vault, once a person: {new:,} persons, {time.perf_counter() - began:.1f} s")
        slope = float(np.polyfit(np.log(sizes), np.log(times), 1)[0])
        print(
            f"ratio {keyed / plain:.2f} (promised {PROMISED}); rows to the power {slope:.2f} (linear: 1.05 at most)"
        )
    figures = {"with / without pseudonyms": keyed / plain, "exponent of growth": slope}
    record("pseudonymisation", f"{given.rows} rows", figures)
    return 1 if keyed / plain > PROMISED or slope > 1.05 else 0


if __name__ == "__main__":
    raise SystemExit(main())
