"""After which events does which other event follow more, or less, often than after comparable persons' comparable days?"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.analyses.pairs import reads_of, scan_pairs
from experiments.findings import Findings
from experiments.job import job
from experiments.products.patterns import patterns
from lakehouse.study.session import Study


@dataclass(frozen=True)
class Params:
    """What a researcher may turn."""

    horizon_days: int = 1826  # outcome within five years of the exposure
    min_persons: int = 5  # a code rarer than this is not tested
    level: str = "default"  # default: ICD-10 3 characters, ATC 5; full; or as in lakehouse.gold.levels
    artefacts: bool = True  # look for breaks in coding and flag the pairs of such codes
    artefacts_by_place: bool = False  # the same hospital by hospital (gold.event, gold.place must be granted)
    incidence: bool = True  # cumulative incidence of significant pairs, death competing
    emigration: bool = False  # gold.observation_period (must be granted) ends follow-up too
    sites: bool = False  # look for findings again in other municipalities (gold.person must be granted)
    keep: bool = False  # keep incremental counts: a later run counts only persons whose timelines changed
    washout_days: int = 0  # a first time so soon after a person's first event is neither exposure nor outcome
    q_level: float = 0.05  # false discovery rate at which a pair is significant


@job(use_case="D1", reads=reads_of, params=Params, gives=patterns("pair"))
def mine_pairs(study: Study, params: Params) -> Findings:
    """Scan every ordered pair of codes on the study's timelines."""
    return scan_pairs(study, params)


if __name__ == "__main__":
    mine_pairs.main()
