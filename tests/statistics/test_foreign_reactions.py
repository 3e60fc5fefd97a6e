"""The designs on data nobody here made: reports of food supplements and statins, vaccines, painkillers; figures are printed.

The reference pairs of EU-ADR and of OHDSI's negative controls come without data to count in; only four of them
(statins and rhabdomyolysis, all true) fall into the statin reports, so their truth is told by what is known of statins:
they hurt muscles; kidneys and calcium are the comparison.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from experiments.statistics.designs.self_controlled import case_series, stretches_of
from experiments.statistics.observed_expected.disproportionality import ebgm, fit_prior, information_component

MUSCLE = (
    "Muscle",
    "Muscul",
    "Myo",
    "Myalgia",
    "Rhabdo",
    "Creatine Phosphokinase",
    "Electromyogram",
    "Compartment",
    "Necrotising",
)


def rows_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with gzip.open(path, "rt") as lines:
        return list(csv.DictReader(lines, delimiter=delimiter))


def auc(score: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Chance that a true pair scores above a false one."""
    ranks = stats.rankdata(score)
    true, false = int(truth.sum()), int((~truth).sum())
    return float((ranks[truth].sum() - true * (true + 1) / 2) / (true * false))


def test_auc_is_the_chance_of_the_right_order() -> None:
    assert auc(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True])) == 0.75


def test_statins__hurt_muscles_more_than_kidneys(
    foreign_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(foreign_data / "drug_event" / "statin46.csv.gz")
    statins = [name for name in rows[0] if name not in ("AE", "Other")]
    counts = np.array([[float(row[name]) for name in [*statins, "Other"]] for row in rows])
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    o, e = counts[:-1, :-1].ravel(), expected[:-1, :-1].ravel()
    truth = np.repeat(
        [row["AE"].startswith(MUSCLE) or "Muscle" in row["AE"] for row in rows[:-1]], len(statins)
    )
    ic025 = information_component(o, e)[1]
    eb05 = ebgm(o, e, fit_prior(o, e))[1]
    figures = {"IC025": auc(ic025, truth), "EB05": auc(eb05, truth)}
    with capsys.disabled():
        told = ", ".join(f"AUC {name} {value:.3f}" for name, value in figures.items())
        print(f"\n[statin46: {truth.sum()} muscle, {(~truth).sum()} other pairs] {told}")
    assert all(value > 0.5 for value in figures.values()), "all 46 were listed because statins were suspected"


def caers(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Report, product and event of every row, and the sex of every report."""
    rows = rows_of(folder / "drug_event" / "caers.csv.gz")
    columns = [
        np.unique([row[name] for row in rows], return_inverse=True)[1] for name in ("id", "var1", "var2")
    ]
    sex = {number: row["strat1"] for number, row in zip(columns[0].tolist(), rows, strict=True)}
    return columns[0], columns[1], columns[2], [sex[number] for number in range(len(sex))]


def pair_counts(
    report: NDArray[np.int64], product: NDArray[np.int64], event: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reports with both and expected by margins, of every pair of a product with 10 and an event with 10 reports."""
    a, b = (np.zeros((report.max() + 1, each.max() + 1), bool) for each in (product, event))
    a[report, product], b[report, event] = True, True
    a, b = a[chosen][:, a.sum(axis=0) >= 10], b[chosen][:, b.sum(axis=0) >= 10]
    o = a.T.astype(float) @ b.astype(float)
    e = np.outer(a.sum(axis=0), b.sum(axis=0)) / max(len(a), 1)
    return o.ravel(), e.ravel()


def test_supplements__signals_of_one_half_of_the_reports_are_found_in_the_other(
    foreign_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, product, event, sex = caers(foreign_data)
    half = np.random.default_rng(7).random(len(sex)) < 0.5
    o, e = pair_counts(report, product, event, half)
    truth = ebgm(o, e, fit_prior(o, e))[1] > 2
    other_o, other_e = pair_counts(report, product, event, ~half)
    scores = {
        "EB05": ebgm(other_o, other_e, fit_prior(other_o, other_e))[1],
        "IC025": information_component(other_o, other_e)[1],
    }
    figures = {name: auc(score, truth) for name, score in scores.items()}
    with capsys.disabled():
        told = ", ".join(f"AUC {name} {value:.3f}" for name, value in figures.items())
        print(f"\n[caers: {truth.sum()} of {len(truth):,} pairs signal in one half] {told}")
    assert all(value > 0.7 for value in figures.values())


def test_supplements__stay_quiet_when_reports_are_shuffled_within_sex(foreign_data: Path) -> None:
    report, product, event, sex = caers(foreign_data)
    rng = np.random.default_rng()
    moved = np.arange(len(sex))
    for word in set(sex):
        own = np.array([k for k, each in enumerate(sex) if each == word])
        moved[own] = rng.permutation(own)
    everybody = np.ones(len(sex), bool)
    a, b = (np.zeros((len(sex), each.max() + 1), bool) for each in (product, event))
    a[moved[report], product], b[report, event] = True, True
    a, b = a[everybody][:, a.sum(axis=0) >= 10], b[:, b.sum(axis=0) >= 10]
    o = (a.T.astype(float) @ b.astype(float)).ravel()
    e = (np.outer(a.sum(axis=0), b.sum(axis=0)) / len(sex)).ravel()
    assert np.mean(information_component(o, e)[1] > 0) < 0.02
    assert (ebgm(o, e, fit_prior(o, e))[1] > 2).sum() <= 3


def test_convulsions__come_six_to_eleven_days_after_mmr(
    foreign_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(foreign_data / "sccs" / "condat.txt.gz", "\t")
    cases: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        cases.setdefault(row["case"], []).append(row)
    assert (len(rows), len(cases)) == (2435, 2201)
    seen, events, windows = [], [], []
    for case in cases.values():
        seen.append((int(case[0]["sta"]), int(case[0]["end"])))
        events.append(np.array([int(row["conv"]) for row in case]))
        dose = case[0]["mmr"]
        day = int(dose) if dose != "NA" else None
        windows.append(
            [] if day is None else [(day, day + 5, 1), (day + 6, day + 11, 2), (day + 12, day + 42, 3)]
        )
    stretches = stretches_of(np.array(seen), events, windows, np.arange(427, 731, 61))
    counts = [int(stretches.events[stretches.exposure == k].sum()) for k in (1, 2, 3)]
    assert counts == [43, 129, 233], "the published events in each window"
    found = case_series(stretches)
    with capsys.disabled():
        told = ", ".join(
            f"{r:.2f} ({low:.2f}-{high:.2f})"
            for r, low, high in zip(found.ratio, found.low, found.high, strict=True)
        )
        print(f"\n[condat: MMR days 0-5, 6-11, 12-42] incidence ratios {told}")
    assert found.ratio.argmax() == 1 and found.low[1] > 1.5 and found.ratio[0] < 1.3


def test_bleeding__is_more_frequent_while_painkillers_are_taken(
    foreign_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(foreign_data / "sccs" / "gidat.txt.gz", "\t")
    cases: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        cases.setdefault(row["case"], []).append(row)
    assert (len(rows), len(cases)) == (2920, 838)
    seen, events, windows = [], [], []
    for case in cases.values():
        seen.append((int(case[0]["sta"]), int(case[0]["end"])))
        events.append(np.array([int(case[0]["bleed"])]))
        windows.append([(int(row["ns"]), int(row["endns"]), 1) for row in case if row["ns"] != "NA"])
    found = case_series(
        stretches_of(
            np.array(seen), events, windows, np.round(np.arange(55, 100, 5) * 365.25).astype(np.int64)
        )
    )
    with capsys.disabled():
        print(
            f"\n[gidat: while exposed] incidence ratio {found.ratio[0]:.2f} ({found.low[0]:.2f}-{found.high[0]:.2f})"
        )
    assert found.low[0] > 1
