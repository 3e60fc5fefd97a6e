"""What is in this study: how many persons and events does every code have, by year, sex, age group and place?"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.analyses.description.study import describe, reads_of
from experiments.findings import Findings
from experiments.job import job
from experiments.products.indicators import INDICATORS
from lakehouse.study.session import Study


@dataclass(frozen=True)
class Params:
    """What a researcher may set."""

    places: bool = True  # also by municipality of residence (gold.person must be granted)
    age_years: int = 10  # width of an age group, years
    level: str = "default"  # default: ICD-10 3 characters, ATC 5; full: codes as they stand


@job(use_case="D1", reads=reads_of, params=Params, gives=INDICATORS)
def describe_study(study: Study, params: Params) -> Findings:
    """Count every code of the study's timelines in every cut."""
    return describe(study, params)


if __name__ == "__main__":
    describe_study.main()
