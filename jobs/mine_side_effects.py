"""After which medicines does which event come more often than expected, by at least two designs that err differently?"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.analyses.side_effects.study import READS, mine
from experiments.findings import Findings
from experiments.job import job
from experiments.products.patterns import patterns
from lakehouse.study.session import Study


@dataclass(frozen=True)
class Params:
    """What a researcher may turn."""

    horizon_days: int = 365  # matched cohort: event within a year of the first dispensing
    order_days: int = 365  # symmetry: w, both within so many days of one another
    trend_days: int = 365  # symmetry: d, days over which calendar trends are looked at
    risk_days: int = 30  # self-controlled cohort and case series: 30, 90, 180 or 360
    min_persons: int = 20  # a code rarer than this is not tested; never under the permit's floor
    level: str = "default"  # default: ICD-10 3 characters, ATC 5; full: codes as they stand
    q_level: float = 0.05  # false discovery rate at which a pair is significant


@job(use_case="D1", reads=READS, params=Params, gives=patterns("side_effect"))
def mine_side_effects(study: Study, params: Params) -> Findings:
    """Every medicine with every event, by all designs at once."""
    return mine(study, params, job="mine_side_effects")


if __name__ == "__main__":
    mine_side_effects.main()
