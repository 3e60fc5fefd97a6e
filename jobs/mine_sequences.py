"""Which sequences of events before a landmark go with an outcome after it, more or less often than in comparable persons?"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.analyses.itemsets.study import READS, mine_orders
from experiments.findings import Findings
from experiments.job import job
from experiments.products.patterns import patterns
from lakehouse.study.session import Study


@dataclass(frozen=True)
class Params:
    """What a researcher may turn."""

    outcome: str = "CPR//DEATH"  # code of the outcome, system//code
    landmark: str = ""  # day everybody is looked at, 2021-01-01; empty: the middle of the data
    lookback_days: int = 1826  # events so many days before the landmark belong to the sequence
    horizon_days: int = 730  # outcome so many days after it
    least_gap: int = 1  # fewest days between neighbouring steps
    most_gap: int = 0  # most days between them; 0: no limit
    most_span: int = 0  # most days from the first step to the last; 0: no limit
    support: int = 0  # fewest persons; 0: enough to see a doubling of the outcome
    longest: int = 4  # most events in a sequence
    top: int = 20000  # of more sequences than that, those of most persons
    closed: bool = True  # only those of which no longer one, up to `longest`, has the same persons
    most_codes: int = 150  # persons with more distinct codes are left out, and counted
    level: str = "default"  # default: ICD-10 3 characters, ATC 5; full: codes as they stand
    q_level: float = 0.05  # family-wise error rate
    draws: int = 500  # shuffles of the outcome


@job(use_case="D1", reads=READS, params=Params, gives=patterns("sequence"))
def mine_sequences(study: Study, params: Params) -> Findings:
    """Search all sequences within the limits, test what could be significant, adjust over all of them."""
    return mine_orders(study, params, job="mine_sequences")


if __name__ == "__main__":
    mine_sequences.main()
