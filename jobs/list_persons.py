"""Which persons had one code and then another within a time? A list for the desk, shown nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.analyses.persons_of_pattern.study import READS, persons_of
from experiments.findings import Findings
from experiments.job import job
from experiments.products.named_list import NAMED_LIST
from lakehouse.study.session import Study


@dataclass(frozen=True)
class Params:
    """What a researcher may set."""

    first: str = ""  # code that comes first, written system//code at the level mined
    then: str = ""  # code that comes after it
    horizon_days: int = 1826  # within so many days
    level: str = "default"  # default: ICD-10 3 characters, ATC 5; full: codes as they stand


@job(use_case="D1", reads=READS, params=Params, gives=NAMED_LIST)
def list_persons(study: Study, params: Params) -> Findings:
    """List the persons of a pattern by the study's pseudonyms."""
    return persons_of(study, params)


if __name__ == "__main__":
    list_persons.main()
