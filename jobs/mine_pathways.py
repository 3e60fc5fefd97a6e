"""Which ways do persons go through care, how long do they wait, what is done again, and which ways end otherwise?"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.analyses.pathways.study import READS, scan_pathways
from experiments.findings import Findings
from experiments.job import job
from experiments.products.patterns import patterns
from lakehouse.study.session import Study


@dataclass(frozen=True)
class Params:
    """What a researcher may turn."""

    start: str = "LPR//ADMISSION"  # a pathway begins with a person's first code that begins so
    window_days: int = 90  # and takes so many days
    outcome: str = "CPR//DEATH"  # looked for afterwards, among those alive
    outcome_days: int = 365  # in so many days
    activities: int = 60  # the most frequent codes are its steps
    min_persons: int = 20  # a feature of fewer pathways is not tested
    level: str = "default"  # level of the vocabulary
    q_level: float = 0.05  # false discovery rate at which a feature is significant


@job(use_case="D1", reads=READS, params=Params, gives=patterns("pathway"))
def mine_pathways(study: Study, params: Params) -> Findings:
    """Map the pathways of the study and compare them."""
    return scan_pathways(study, params)


if __name__ == "__main__":
    mine_pathways.main()
