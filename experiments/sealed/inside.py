"""The inside of a sealed run: asks the job's question over the extract and leaves raw findings and the scope record.

It has no ledger, no keys, no tracking store and no network; what it leaves is checked outside, like anything an
untrusted program hands over.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

FINDINGS = "findings.json"
SCOPE = "scope.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; exit codes are those of every command."""
    from lakehouse.errors import PatternlakeError

    parser = argparse.ArgumentParser()
    parser.add_argument("job", type=Path)
    parser.add_argument("--study", required=True)
    parser.add_argument("--actor", required=True)
    parser.add_argument("--params", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        ask(given.job, given.study, given.actor, json.loads(given.params), given.out)
    except PatternlakeError as error:
        print(f"Refused: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def ask(file: Path, study_id: str, actor: str, params: dict[str, object], out: Path) -> None:
    """Open the study over the extract, ask, and write what came out; the scope is written also when it fails."""
    from experiments.run.definition import load_job
    from lakehouse.session import spark_session
    from lakehouse.settings import load_settings
    from lakehouse.study.session import open_data

    job, settings = load_job(file), load_settings()
    spark = spark_session(settings, f"patternlake {job.name}")
    try:
        study = open_data(spark, settings, study_id, actor=actor)
        try:
            with study:
                asked = job.params(**params)
                study.require(job.reads_for(asked))
                findings = job.ask(study, asked)
        finally:
            (out / SCOPE).write_text(study.scope().to_json(), "utf-8")
        for product in findings.products:
            product.write(out)
        facts = {
            "products": [{"name": product.name, "kind": product.kind} for product in findings.products],
            "persons": findings.persons,
            "remarks": list(findings.remarks),
            "attrition": study.attrition,
            "definitions": study.definitions,
            "params": asdict(job.params(**params)),
        }
        (out / FINDINGS).write_text(json.dumps(facts), "utf-8")
    finally:
        spark.stop()


if __name__ == "__main__":
    sys.exit(main())
