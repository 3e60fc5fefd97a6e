"""Stratified tests beside plain formulas, family-wise error on null worlds, planted patterns, histories read literally."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from scipy import stats

from experiments.analyses.itemsets.significance import SearchSettings, support_for
from experiments.kernels.histories import HistoryPass, Landmark, in_bands
from experiments.kernels.passes import OverPersons
from experiments.statistics.hypothesis_tests.stratified import (
    Strata,
    able,
    associations,
    family_wise_p,
    permuted_labels,
    smallest_log10_p,
)
from tests.oracles.pair_scan import Person, even_cuts
from tests.oracles.pair_scan import band as band_of
from tests.statistics.significant import null_figures, planted_figures
from tests.support.small_worlds import as_persons, small_world


def cmh(tables: list[np.ndarray]) -> tuple[float, float]:
    """Statistic without continuity correction, and the common odds ratio, table by table."""
    top = variance = numerator = denominator = 0.0
    for (a, b), (c, d) in tables:
        n = a + b + c + d
        top += a - (a + b) * (a + c) / n
        variance += (a + b) * (c + d) * (a + c) * (b + d) / n**2 / (n - 1)
        numerator, denominator = numerator + a * d / n, denominator + b * c / n
    return top**2 / variance, numerator / denominator


def test_stratified_association__is_cochran_mantel_haenszel() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    for _ in range(50):
        tables = [rng.integers(1, 40, (2, 2)) for _ in range(4)]
        hit = np.array([[t[0, 0] for t in tables]])
        having = np.array([[t[0].sum() for t in tables]])
        strata = Strata(np.array([t.sum() for t in tables]), np.array([t[:, 0].sum() for t in tables]))
        found = associations(hit, having, strata)
        statistic, ratio = cmh(tables)
        assert found.z[0] ** 2 == pytest.approx(statistic)
        assert found.log10_p[0] == pytest.approx(np.log10(stats.chi2.sf(statistic, 1)), abs=1e-9)
        assert found.ratio[0] == pytest.approx(ratio) and found.low[0] < ratio < found.high[0]


def test_one_stratum__has_the_plain_odds_ratio_and_its_interval() -> None:
    strata = Strata(np.array([110]), np.array([50]))
    found = associations(np.array([[30]]), np.array([[50]]), strata)
    odds, error = 30 * 40 / (20 * 20), np.sqrt(1 / 30 + 1 / 20 + 1 / 20 + 1 / 40)
    assert found.ratio[0] == pytest.approx(odds)
    assert np.log(found.high[0] / odds) == pytest.approx(1.959964 * error, rel=1e-3)


def test_no_labelling_beats_the_smallest_p() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    for _ in range(40):
        persons, outcomes = np.array([12, 9]), np.array([int(rng.integers(1, 12)), int(rng.integers(1, 9))])
        having = np.array([[int(rng.integers(0, 13)), int(rng.integers(0, 10))]])
        strata = Strata(persons, outcomes)
        least = smallest_log10_p(having, strata)[0]
        reached = []
        for a in range(13):
            for b in range(10):
                hit = np.array([[a, b]])
                if (hit <= np.minimum(having, outcomes)).all() and (hit >= having + outcomes - persons).all():
                    reached.append(associations(hit, having, strata).log10_p[0])
        assert least == pytest.approx(min(reached), abs=1e-9)


def test_tarone__leaves_out_what_can_never_be_significant() -> None:
    smallest = np.log10([1e-9, 1e-4, 0.02, 0.3, 0.9])
    assert able(smallest, 0.05).tolist() == [True, True, False, False, False]
    assert not able(np.log10([0.3, 0.4]), 0.05).any()


def test_shuffling_stays_within_strata() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    stratum = np.repeat([0, 1, 2], [40, 1, 25])
    label = (rng.random(66) < 0.3).astype(np.int8)
    drawn = permuted_labels(label, stratum, 200, rng)
    for k in range(3):
        assert (drawn[:, stratum == k].sum(axis=1) == label[stratum == k].sum()).all()
    assert drawn[:, :40].mean(axis=0).std() < 0.07 and (drawn[0] != drawn[1]).any()


def test_family_wise_p__is_a_rank_among_the_largest() -> None:
    drawn = np.array([[5, 3, 1], [2, 2, 9]])
    p = family_wise_p(np.array([1.9, -3.5]), drawn, np.array([3.0, 4.0]), np.array([1.0, 4.0]))
    # largest |z| of the draws: max(2, 1) = 2, max(0, 1) = 1, max(2, 2.5) = 2.5
    assert p.tolist() == [(1 + 2) / 4, 1 / 4]


@pytest.mark.parametrize("kind", ["itemset", "sequence"])
def test_null_worlds__keep_the_family_wise_error(kind: str) -> None:
    significant = [
        null_figures(secrets.randbelow(2**31), kind, persons=15_000, codes=80)["significant"]
        for _ in range(3)
    ]
    assert sum(number > 0 for number in significant) <= 2, significant
    assert sum(significant) <= 6, significant


@pytest.mark.parametrize("kind", ["itemset", "sequence"])
def test_planted_patterns__are_found(kind: str) -> None:
    worlds = [
        planted_figures(secrets.randbelow(2**31), kind, persons=20_000, codes=45, planted=4) for _ in range(8)
    ]
    eligible, hits, significant, false = (
        sum(figures[name] for figures in worlds)
        for name in ("eligible", "eligible_significant", "significant", "false")
    )
    assert hits >= 0.9 * eligible > 0, worlds
    assert false <= 0.05 * significant + 4, worlds


def test_support_follows_from_the_power_to_see_a_doubling() -> None:
    assert support_for(0.05, SearchSettings()) == 480  # (4.0556 + 0.8416)² / 0.05
    assert (
        support_for(0.5, SearchSettings(least=60)) == 60
        and support_for(0.05, SearchSettings(support=33)) == 33
    )


def literally(people: list[Person], mark: Landmark, kept: list[int]) -> tuple[list[tuple[object, ...]], int]:
    """Histories by the definition."""
    rows, capped = [], 0
    for person in people:
        before = {(day, code) for day, code, _ in person.records if day < mark.day}
        ended = any(
            code == mark.outcome or code in mark.ending for day, code, _ in person.records if day <= mark.day
        )
        history = sorted(
            (day, code) for day, code in before if day >= mark.day - mark.lookback and code in kept
        )
        if not before or ended:
            continue
        if len({code for _, code in history}) > mark.most_codes:
            capped += 1
            continue
        after = any(
            code == mark.outcome and mark.day < day <= mark.day + mark.horizon
            for day, code, _ in person.records
        )
        year = (np.datetime64("1970-01-01") + mark.day).astype("datetime64[Y]").astype(int) + 1970
        age = min(max(int(year) - person.birth_year, 0), 109) // 10
        rows.append((person.sex * 16 + age, len(before), person.half, int(after), tuple(history)))
    bands = min(max(round(16 * (len(rows) / 20_000) ** 0.25), 4), 63)
    cuts = even_cuts([use for _, use, *_ in rows], bands, 0)
    return sorted((place * 64 + band_of(cuts, use), *rest) for place, use, *rest in rows), capped


@pytest.mark.parametrize("pieces", [1, 3])
def test_histories__are_read_literally_whoever_collects_them(pieces: int) -> None:
    for seed in range(60):
        people, codes = small_world(seed)
        days = [day for person in people for day, _, _ in person.records]
        mark = Landmark(int(np.median(days)) if days else 0, 400, 300, 0, (1,), 4)
        kept = np.array([code > 1 for code in range(codes)])
        found = OverPersons(as_persons(people, codes), pieces)(HistoryPass, {"landmark": mark, "kept": kept})
        found = in_bands(found)
        rows = []
        for k in range(found.persons):
            own = slice(found.offsets[k], found.offsets[k + 1])
            history = tuple(zip(found.days[own].tolist(), found.codes[own].tolist(), strict=True))
            rows.append((int(found.stratum[k]), int(found.half[k]), int(found.label[k]), history))
        wanted, capped = literally(people, mark, [code for code in range(codes) if code > 1])
        assert sorted(rows) == wanted and int(found.capped.sum()) == capped
        assert [row[:2] for row in rows] == sorted(row[:2] for row in rows), "strata stand together"
