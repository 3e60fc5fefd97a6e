"""Codes that come together do not hide one another, and where nothing can be compared that is said."""

from __future__ import annotations

import secrets

import numpy as np
import pytest

from experiments.analyses.pairs.scan import LEAST_OVERLAP, PairScan, scan
from experiments.analyses.pairs.study import not_compared
from experiments.kernels.design import PairScanSettings
from experiments.kernels.passes import OverPersons
from experiments.kernels.persons import Persons
from experiments.products.base import Calibration, Verdict
from experiments.products.pattern_summary import warning

OUTCOME, OTHERS, CODES = 40, range(10, 40), 41


def persons_from(rows: np.ndarray, persons: int, setting: int, rng: np.random.Generator) -> Persons:
    """Persons of events (person, day, code), each once."""
    events = np.unique(rows, axis=0)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(events[:, 0], minlength=persons))])
    return Persons(
        offsets.astype(np.int64),
        events[:, 2].astype(np.int32),
        events[:, 1].astype(np.int32),
        np.full(len(events), setting, np.int8),
        rng.integers(1, 3, persons).astype(np.int8),
        rng.integers(1930, 1990, persons).astype(np.int16),
        (np.arange(persons) % 2).astype(np.int8),
    )


def bundle_world(together: int, apart: int, setting: int, persons: int = 6_000) -> Persons:
    """A tenth of the persons have so many codes ``apart`` days from one another, and then four times the outcome.

    The later ones of a bundle on several days follow its earlier ones, as hardly anybody else's codes follow so many.
    """
    rng = np.random.default_rng(secrets.randbits(64))
    ill = np.arange(persons) < persons // 10
    rows = []
    first = 16_071 + rng.integers(0, 300, persons)
    for code in range(together):
        rows.append(
            np.stack([np.flatnonzero(ill), first[ill] + code * apart, np.full(ill.sum(), code)], axis=1)
        )
    for code in OTHERS:
        who = np.flatnonzero(rng.random(persons) < 0.1)
        rows.append(
            np.stack([who, 14_975 + rng.integers(0, 1_500, len(who)), np.full(len(who), code)], axis=1)
        )
    who = np.flatnonzero(rng.random(persons) < np.where(ill, 0.4, 0.1))
    rows.append(np.stack([who, 16_650 + rng.integers(0, 500, len(who)), np.full(len(who), OUTCOME)], axis=1))
    return persons_from(np.concatenate(rows), persons, setting, rng)


def scanned(persons: Persons) -> PairScan:
    return scan(OverPersons(persons), PairScanSettings(CODES))


@pytest.mark.parametrize("setting", [-1, 0])
@pytest.mark.parametrize(("together", "apart"), [(1, 0), (2, 0), (6, 0), (6, 1), (6, 7)])
def test_codes_of_one_day__do_not_hide_one_another(setting: int, together: int, apart: int) -> None:
    found = scanned(bundle_world(together, apart, setting))
    rows = {(row["code_a"], row["code_b"]): row for row in found.table.to_pylist()}
    for code in range(together):
        row = rows[code, OUTCOME]
        if apart and code and code in found.not_comparable:
            assert row["comparable"] < LEAST_OVERLAP and not row["tested"]
            continue
        assert row["called"] and row["z"] > 4, row
        assert 2.5 < row["rr"] < 6.5, row
    assert 0 not in found.not_comparable
    assert apart or not set(found.not_comparable) & set(range(together))


def test_codes_that_fill_their_own_days__are_named_not_comparable_and_not_tested() -> None:
    """Half of all days hold the same two codes: whoever is compared with them has them too."""
    rng = np.random.default_rng(secrets.randbits(64))
    persons = 2_000
    day = 16_000 + rng.integers(0, 360, persons)
    rows = [np.stack([np.arange(persons), day, np.full(persons, code)], axis=1) for code in (0, 1)]
    who = np.flatnonzero(rng.random(persons) < 0.3)
    rows.append(np.stack([who, day[who] + 100, np.full(len(who), OUTCOME)], axis=1))
    found = scanned(persons_from(np.concatenate(rows), persons, -1, rng))
    assert {0, 1} <= set(found.not_comparable)
    for row in found.table.to_pylist():
        assert not row["tested"] or row["code_a"] not in (0, 1)
        assert (row["comparable"] < LEAST_OVERLAP) == (row["code_a"] in found.not_comparable)
    (remark,) = not_compared(found.not_comparable, [f"C{code}" for code in range(CODES)])
    assert "C0, C1" in remark and "says nothing" in remark
    assert not_compared((), []) == ()


def test_dates_shifted_person_by_person__leave_nothing_to_compare_and_that_is_said() -> None:
    """Every person lives in a century of their own, so no stratum holds two."""
    rng = np.random.default_rng(secrets.randbits(64))
    persons, each = 150, 40
    who = np.repeat(np.arange(persons), each)
    day = who * 3_660 - 200_000 + rng.integers(0, 3_000, len(who))
    rows = np.stack([who, day, rng.integers(0, CODES, len(who))], axis=1)
    found = scanned(persons_from(rows, persons, 0, rng))
    assert found.tested == 0 and len(found.not_comparable) == CODES
    calibration = Calibration(*found.null)
    assert calibration.verdict is Verdict.CANNOT_BE_TOLD
    assert "Nearly nothing could be compared" in warning(calibration)


def test_the_calibration__is_judged_both_ways_and_by_size() -> None:
    assert Calibration(0.0, 1.0, 5_000).verdict is Verdict.FAIR
    assert Calibration(0.0, 1.2, 5_000).verdict is Verdict.TOO_WIDE
    assert Calibration(0.0, 0.5, 5_000).verdict is Verdict.TOO_NARROW
    assert Calibration(0.0, 0.0, 99).verdict is Verdict.CANNOT_BE_TOLD
    by_size = Calibration(0.0, 1.0, 5_000, ((5, 50, 4_000, 0.99), (2_000, 8_000, 1_000, 2.1)))
    assert (
        by_size.verdict is Verdict.TOO_WIDE
        and not by_size.calibrated
        and "among tests of one size" in warning(by_size)
    )
    chance = Calibration(0.0, 1.0, 5_000, ((2_000, 8_000, 100, 1.15),))
    assert chance.verdict is Verdict.FAIR and warning(chance) == ""
    assert "too narrow" in warning(Calibration(0.0, 0.5, 5_000))
