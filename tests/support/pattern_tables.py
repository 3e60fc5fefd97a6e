"""Pair tables as a scan would give them, drawn from a seed: consistent counts, some true effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats

from experiments.products.patterns import PatternMeta, Patterns

DISEASES = (
    ("ICD10//I21", "Acute myocardial infarction"),
    ("ICD10//I50", "Heart failure"),
    ("ICD10//E11", "Type 2 diabetes mellitus"),
    ("ATC//C10AA", "HMG CoA reductase inhibitors"),
    ("ATC//A10BA", "Biguanides"),
    ("ICD10//J44", "Other chronic obstructive pulmonary disease"),
    ("SKS//KFNG", "Percutaneous coronary intervention"),
    ("LPR//ADMISSION", "Admission to hospital"),
    ("CPR//DEATH", "Death"),
)


def code_names(n_codes: int) -> tuple[list[str], list[str]]:
    """Codes and their texts: a few real names, then numbered ones."""
    codes = [code for code, _ in DISEASES][:n_codes]
    texts = [text for _, text in DISEASES][:n_codes]
    codes += [
        f"ICD10//{'ABCDFGHKLMNR'[i // 100 % 12]}{i % 100:02d}" + ("" if i < 1200 else f"{i}")
        for i in range(9, n_codes)
    ]
    texts += [f"Diagnosis number {i}, described at some length" for i in range(9, n_codes)]
    return [f"{code}" for code in codes], texts


@np.errstate(divide="ignore", invalid="ignore")
def scan_table(
    n_codes: int = 40, persons: int = 20_000, seed: int = 1, planted: int = 30, sd_of_z: float = 1.0
) -> pa.Table:
    """Every ordered pair of ``n_codes`` codes with the columns of the pair scan.

    ``O`` equals ``n_before`` of the row and ``n_after`` of the reversed row; ``n_person`` is the sum of its
    parts; Σ_a O = Σ_a E for each b. ``planted`` pairs carry an effect, half of them protective; ``sd_of_z``
    widens z beyond 1 as bad comparisons do.
    """
    rng = np.random.default_rng(seed)
    margin = np.maximum(rng.lognormal(np.log(persons / 60), 1.1, n_codes), 6).astype(int)
    margin = np.minimum(margin, persons // 3)
    expected = np.outer(margin, margin) / persons * rng.uniform(0.3, 0.5, (n_codes, n_codes))
    truth = np.exp(rng.normal(0, np.sqrt(max(sd_of_z**2 - 1, 0)) / np.sqrt(np.maximum(expected, 1))))
    np.fill_diagonal(expected, 0)
    a, b = np.nonzero(~np.eye(n_codes, dtype=bool))
    effects = rng.choice(len(a), planted, replace=False)
    truth[a[effects], b[effects]] = np.where(np.arange(planted) % 4 == 3, 0.4, rng.uniform(1.6, 5, planted))
    before = np.minimum(rng.poisson(expected * truth), (margin[:, None] * 0.8).astype(int))
    before = np.minimum(before, (margin[None, :] * 0.45).astype(int))
    before = np.minimum(before, (margin[:, None] * 0.45).astype(int))
    same = np.triu(rng.poisson(expected * 0.05), 1)
    same = np.minimum(same + same.T, np.minimum.outer(margin, margin) // 20)
    expected *= before.sum(axis=0) / expected.sum(axis=0)
    O, E = before[a, b], expected[a, b]
    V = E * rng.uniform(0.9, 1.0, len(a))
    z = (O - E) / np.sqrt(V)
    log10_p = (np.log(2) + stats.norm.logsf(np.abs(z))) / np.log(10)
    tested = (E >= 1) & (margin[a] >= 20) & (margin[b] >= 20)
    q = np.full(len(a), np.nan)
    q[tested] = stats.false_discovery_control(10 ** np.maximum(log10_p[tested], -300))
    rr = O / E
    low, high = stats.gamma.ppf(0.025, np.maximum(O, 0.5)) / E, stats.gamma.ppf(0.975, O + 1.0) / E
    after = before[b, a]
    direction_p = np.asarray(stats.binom.cdf(np.minimum(O, after), np.maximum(O + after, 1), 0.5))
    columns = {
        "code_a": a.astype(np.int32), "code_b": b.astype(np.int32),
        "n_a": margin[a], "n_b": margin[b], "n_person": O + after + same[a, b],
        "n_before": O, "n_same_day": same[a, b], "n_after": after,
        "O": O, "E": E, "V": V, "rr": rr, "rr_low": low, "rr_high": high, "z": z, "log10_p": log10_p,
        "q_bh": q, "q_by": np.minimum(q * np.log(len(a)), 1), "q_empirical": q, "calibrated_p": 10**log10_p,
        "direction_p": np.minimum(direction_p * 2, 1), "direction_p_half": np.minimum(direction_p * 2, 1),
        "nsr": rng.lognormal(0, 0.05, len(a)), "ic": np.log2((O + 0.5) / (E + 0.5)),
        "ic025": np.log2(stats.gamma.ppf(0.025, O + 0.5) / (E + 0.5)),
    }  # fmt: skip
    for share, days in zip((5, 25, 50, 75, 95), (30, 200, 600, 1100, 1700), strict=True):
        columns[f"lag_q{share:02d}"] = rng.normal(days, days / 10, len(a)).astype(np.float32)
    significant = tested & (q <= 0.05)
    words = np.where(direction_p * 2 > 0.05, "none", np.where(O > after, "forward", "backward"))  # noqa: SIM300
    return pa.table(
        {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
        | {
            "window": pa.array(["0-1826"] * len(a)),
            "direction": pa.array(words),
            "replicated_person": pa.array(significant & (rng.random(len(a)) < 0.9)),
            "flags": pa.array(np.where(rng.random(len(a)) < 0.02, "overlap", "")),
            "tested": pa.array(tested),
            "called": pa.array(significant),
        }
    )


def meta(**changes: object) -> PatternMeta:
    """Origin of a made-up table."""
    given: dict[str, object] = {
        "job": "mine_pairs", "study": "demo", "permit": "demo-permit", "seed": 7,
        "data_versions": {"gold.timeline": 1, "gold.vocabulary": 1}, "params": {"horizon_days": 1826},
        "run_id": "r1", "code_version": "0.1.0",
    }  # fmt: skip
    return PatternMeta(**(given | changes))  # type: ignore[arg-type]


def patterns(n_codes: int = 40, **options: object) -> Patterns:
    """A raw result table with names."""
    codes, texts = code_names(n_codes)
    return Patterns.from_scan(scan_table(n_codes, **options), codes, texts, meta())  # type: ignore[arg-type]


def scope_like(state: str = "accounted") -> dict[str, Any]:
    """A scope record as a study makes it, as plain values."""
    return {
        "study": "demo",
        "permit": {"id": "p1", "version": 1, "hash": "ab" * 32},
        "state": state,
        "digest": "3f" * 18,
        "denials": [],
        "remarks": [],
        "reads": [
            {
                "table": "gold.timeline", "path": "lake/gold/timeline", "version": 3,
                "columns_direct": ["code", "day", "sex", "birth_year"], "columns_filter": ["split"],
                "columns_join": [], "predicates": [], "rows": 20_000, "persons": 20_000,
            },
            {
                "table": "gold.vocabulary", "path": "lake/gold/vocabulary", "version": 1,
                "columns_direct": ["code", "text"], "columns_filter": [], "columns_join": [], "predicates": [],
                "rows": 812, "persons": None,
            },
        ],
    }  # fmt: skip


def significant_only(n_codes: int, rows: int, seed: int = 1) -> Patterns:
    """A raw table of significant pairs alone, as many as asked for: what a large run's page is made of."""
    rng = np.random.default_rng(seed)
    picked = np.sort(rng.choice(n_codes * n_codes, rows + n_codes, replace=False))
    a, b = np.divmod(picked, n_codes)
    a, b = a[a != b][:rows].astype(np.int32), b[a != b][:rows].astype(np.int32)
    rows = len(a)
    margin = rng.integers(2_000, 60_000, n_codes)
    O = rng.integers(40, 900, rows)
    rr = np.exp(rng.normal(0.5, 0.5, rows))
    after, same = rng.integers(10, 400, rows), rng.integers(5, 60, rows)
    columns = {
        "code_a": a, "code_b": b, "n_a": margin[a], "n_b": margin[b], "n_person": O + after + same, "n_before": O,
        "n_same_day": same, "n_after": after, "O": O, "E": O / rr, "V": O / rr, "rr": rr, "rr_low": rr * 0.8,
        "rr_high": rr * 1.25, "z": rng.normal(4, 1, rows), "log10_p": -rng.uniform(4, 40, rows),
        "q_bh": 10 ** -rng.uniform(3, 30, rows), "q_by": np.full(rows, 1e-3), "q_empirical": np.full(rows, 1e-3),
        "calibrated_p": np.full(rows, 1e-4), "direction_p": rng.random(rows), "direction_p_half": rng.random(rows),
        "nsr": np.ones(rows), "ic": np.log2(rr), "ic025": np.log2(rr) - 0.2,
    }  # fmt: skip
    for share, days in zip((5, 25, 50, 75, 95), (30, 200, 600, 1100, 1700), strict=True):
        columns[f"lag_q{share:02d}"] = rng.normal(days, days / 10, rows).astype(np.float32)
    words = {
        "window": pa.array(["0-1826"] * rows), "direction": pa.array(["forward"] * rows),
        "replicated_person": pa.array(rng.random(rows) < 0.8), "flags": pa.array([""] * rows),
        "tested": pa.array(np.ones(rows, bool)), "called": pa.array(np.ones(rows, bool)),
    }  # fmt: skip
    codes, texts = code_names(n_codes)
    table = pa.table({name: pa.array(values) for name, values in columns.items()} | words)
    return Patterns.from_scan(table, codes, texts, meta())
