"""Which codes do the same persons have, beyond what sex, age and the use of health care bring together?"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.analyses.phenotypes.study import READS, scan_phenotypes
from experiments.findings import Findings
from experiments.job import job
from experiments.products.patterns import patterns
from lakehouse.study.session import Study


@dataclass(frozen=True)
class Params:
    """What a researcher may turn."""

    factors: int = 12  # phenotypes looked for
    top: int = 8  # codes that stand for each
    seeds: int = 4  # starts, of which the likeliest is kept and the others show how stable it is
    most_persons: int = 100_000  # learned from so many persons, drawn by their keyed hash
    min_persons: int = 20  # a code of fewer persons is left out
    level: str = "default"  # level of the vocabulary
    q_level: float = 0.05  # false discovery rate in the locked half


@job(use_case="D1", reads=READS, params=Params, gives=patterns("phenotype"))
def mine_phenotypes(study: Study, params: Params) -> Findings:
    """Learn phenotypes in the open half, test them in the locked one."""
    return scan_phenotypes(study, params)


if __name__ == "__main__":
    mine_phenotypes.main()
