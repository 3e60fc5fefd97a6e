"""Every source and every known defect at the size of a region: synth, ingest, gold, and the generator's planted truth.

``python -m tests.e2e.all_sources --persons 100000`` prints seconds, rows and every count that differs from the truth,
and exits with 1 where a file does not balance, a count differs, or a known defect was not planted.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from lakehouse.ingest.run import ingest
from lakehouse.lake import Lake
from lakehouse.session import spark_session
from lakehouse.settings import load_settings
from lakehouse.synthetic import synthesise
from tests.support.planted_truth import compare_with_truth, unread


def main() -> int:
    """Make, ingest, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument(
        "--rate", type=float, default=0.01, help="share of rows that each known defect spoils"
    )
    parser.add_argument("--seed", type=int, default=None, help="drawn anew by default")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbits(31)
    with tempfile.TemporaryDirectory(prefix="patternlake-all-") as folder:
        settings = load_settings(Path(folder) / "home", "local")
        spark = spark_session(settings)
        began = time.monotonic()
        made = synthesise(
            spark, settings, Path(folder) / "out", given.persons, seed, defects=given.rate, sources="all"
        )
        print(f"seed {seed}: {sum(made.rows.values()):,} rows in {len(made.rows)} files, "
              f"{time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
        began = time.monotonic()
        summary = ingest(Lake(spark, settings), made.delivery)
        print(f"ingest and gold: {summary.rows_in:,} rows in, {time.monotonic() - began:.0f} s", flush=True)
        unbalanced = [entry.name for entry in summary.files if not entry.balanced]
        lost = unread(made, summary)
        held = compare_with_truth(spark, settings, Path(made.truth))
        spark.stop()
    for line in (*held.wrong, *(f"does not balance: {name}" for name in unbalanced)):
        print(line)
    for line in (
        *(f"not read: {name}" for name in sorted(lost)),
        *(f"not planted: {t}" for t in held.missing),
    ):
        print(line)
    print(f"{len(summary.files)} files balance but {len(unbalanced)}; {held.checks} counts over {held.rows:,} planted "
          f"rows, {len(held.wrong)} differ; {len(held.missing)} known defects not planted")  # fmt: skip
    return 1 if held.wrong or unbalanced or lost or held.missing else 0


if __name__ == "__main__":
    sys.exit(main())
