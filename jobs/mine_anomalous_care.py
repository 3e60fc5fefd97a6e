"""In which persons does a treatment go with an outcome otherwise than treatment and illness alone let expect?"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.analyses.anomalous_care.study import READS, scan_care
from experiments.findings import Findings
from experiments.job import job
from experiments.products.patterns import patterns
from lakehouse.study.session import Study


@dataclass(frozen=True)
class Params:
    """What a researcher may turn."""

    outcomes: str = "CPR//DEATH,LPR//ADMISSION"  # codes that begin so, joined by commas
    treatments: int = 200  # so many of the most frequent treatments
    groups: int = 200  # and of the most frequent other codes
    horizon_days: int = 365  # within so many days of the first treatment
    min_persons: int = 20  # at risk inside and outside the group
    level: str = "default"  # level of the vocabulary
    q_level: float = 0.05  # false discovery rate at which a cell is significant


@job(use_case="D1", reads=READS, params=Params, gives=patterns("care"))
def mine_anomalous_care(study: Study, params: Params) -> Findings:
    """Scan treatments by earlier diagnoses by outcomes."""
    return scan_care(study, params)


if __name__ == "__main__":
    mine_anomalous_care.main()
