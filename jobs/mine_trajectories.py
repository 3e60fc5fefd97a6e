"""Which chains of events do many persons walk, step after step by their real dates, more often than comparable persons?"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.analyses.trajectories.study import READS, mine
from experiments.findings import Findings
from experiments.job import job
from experiments.products.patterns import patterns
from lakehouse.study.session import Study


@dataclass(frozen=True)
class Params:
    """What a researcher may turn."""

    horizon_days: int = 1826  # each step within five years of the one before
    support: int = 20  # fewest persons who walk a path; never under the permit's floor
    longest: int = 5  # most codes in a path
    level: str = "default"  # default: ICD-10 3 characters, ATC 5; full: codes as they stand
    q_level: float = 0.05  # false discovery rate, of the links and of the paths


@job(use_case="D1", reads=READS, params=Params, gives=patterns("trajectory"))
def mine_trajectories(study: Study, params: Params) -> Findings:
    """Chain replicated links and count who walks them."""
    return mine(study, params, job="mine_trajectories")


if __name__ == "__main__":
    mine_trajectories.main()
