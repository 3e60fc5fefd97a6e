"""In whom does one treatment, against another, change the risk of an outcome more, or less, than in others?"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.analyses.subgroups.study import READS, scan_subgroups
from experiments.findings import Findings
from experiments.job import job
from experiments.products.patterns import patterns
from lakehouse.study.session import Study


@dataclass(frozen=True)
class Params:
    """What a researcher may turn."""

    treatment: str = ""  # code; empty: the two most used medicines of one therapeutic group are compared
    control: str = ""  # code of the other treatment
    outcome: str = "LPR//ADMISSION"  # codes that begin so
    horizon_days: int = 365  # within so many days
    conditions: int = 60  # so many of the most frequent earlier codes may define a subgroup
    depth: int = 3  # conditions that may hold together
    flips: int = 199  # searches where nothing differs, for the error rate
    min_persons: int = 30  # of each arm, inside and outside
    level: str = "default"  # level of the vocabulary
    error: float = 0.05  # family-wise error


@job(use_case="D1", reads=READS, params=Params, gives=patterns("subgroup"))
def mine_subgroups(study: Study, params: Params) -> Findings:
    """Search the new users of two treatments for subgroups."""
    return scan_subgroups(study, params)


if __name__ == "__main__":
    mine_subgroups.main()
