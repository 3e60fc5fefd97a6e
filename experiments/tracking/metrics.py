"""Metrics that mean the same in every job, so that runs of different kinds can be compared and sorted in MLflow.

A job may log further metrics of its own kind beside them. Names are in snake case without dots.

=========================  ==========  ==========================================================================
name                       unit        meaning
=========================  ==========  ==========================================================================
``persons``                persons     In whom the question was asked, as it may be shown: rounded where totals
                                       differ by few, and absent where they are fewer than the small-cell rule.
``tests``                  hypotheses  Tested by this run, as they are entered in the study's ledger of hypotheses;
                                       0 for a job that describes and tests nothing.
``significant``            hypotheses  Significant after correction for the number of tests, by the rule the job states.
``replicated``             hypotheses  Significant ones found again in the half of the persons that was locked away.
``shown``                  rows        Of the result that stand in the checked table with all their numbers.
``hidden``                 numbers     Removed from the result by the small-cell rule.
``calibration_sd_of_z``    1           Standard deviation of z over hypotheses without an effect; 1 is ideal.
``calibration_mean_of_z``  1           Mean of z over the same hypotheses; 0 is ideal.
``calibration_tests``      hypotheses  Behind the two numbers before.
``seconds``                seconds     From the start of the run to its report.
=========================  ==========  ==========================================================================

A metric that has no meaning for a job is absent, never 0: a run without negative controls has no calibration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakehouse.governance.suppression.disclosure import Thresholds

if TYPE_CHECKING:
    from experiments.products.base import Calibration

PERSONS = "persons"
TESTS = "tests"
SIGNIFICANT = "significant"
REPLICATED = "replicated"
SHOWN = "shown"
HIDDEN = "hidden"
CALIBRATION_SD_OF_Z = "calibration_sd_of_z"
CALIBRATION_MEAN_OF_Z = "calibration_mean_of_z"
CALIBRATION_TESTS = "calibration_tests"
SECONDS = "seconds"

SHARED = (
    PERSONS,
    TESTS,
    SIGNIFICANT,
    REPLICATED,
    SHOWN,
    HIDDEN,
    CALIBRATION_SD_OF_Z,
    CALIBRATION_MEAN_OF_Z,
    CALIBRATION_TESTS,
    SECONDS,
)
"""Every metric that means the same in every job, in the order of the table above."""


def shared_metrics(
    *,
    persons: int | None = None,
    tests: int | None = None,
    significant: int | None = None,
    replicated: int | None = None,
    shown: int | None = None,
    hidden: int | None = None,
    calibration: Calibration | None = None,
    seconds: float | None = None,
) -> dict[str, float]:
    """The shared metrics of a run by their names, without those that are None; meanings and units in the table above.

    ``persons`` must be the total as the report shows it, not the exact one.
    """
    mean, sd, behind = (calibration.mean, calibration.sd, calibration.pairs) if calibration else (None,) * 3
    given = (persons, tests, significant, replicated, shown, hidden, sd, mean, behind, seconds)
    return {name: float(value) for name, value in zip(SHARED, given, strict=True) if value is not None}


def may_be_logged(values: Mapping[str, float], thresholds: Thresholds) -> dict[str, float]:
    """Metrics as MLflow may have them: without those that are no number, and without ``persons`` of 1 to k−1."""
    small = range(1, thresholds.persons)
    return {
        name: float(value)
        for name, value in values.items()
        if value == value and not (name == PERSONS and int(value) in small)
    }
