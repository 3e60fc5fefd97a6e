"""Do trajectories, side effects, sets and sequences keep their promises? Every figure beside its threshold.

Run as ``python -m tests.statistics.exploratory --seeds 20``: fresh seeds, fails when a figure falls short. The last
section takes a foreign data set (``PATTERNLAKE_DATA``), shuffles it person by person, and wants it to stay quiet.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.statistics import side_effects, significant, trajectories
from tests.statistics.calibration import Figure

SETS = ("itemset", "sequence")
JOBS: dict[str, tuple[Callable[[int], dict[str, Any]], Callable[[int], dict[str, Any]]]] = {
    "trajectories": (trajectories.null_figures, trajectories.planted_figures),
    "side effects": (side_effects.null_figures, side_effects.planted_figures),
    **{
        f"{kind}s": (
            partial(significant.null_figures, kind=kind),
            partial(significant.planted_figures, kind=kind),
        )
        for kind in SETS
    },
}


def verdicts(name: str, null: list[dict[str, Any]], planted: list[dict[str, Any]]) -> Iterator[Figure]:
    """What one job promises: quiet nulls, planted patterns found, few false ones.

    Family-wise jobs may call something in 5 % of worlds, the others 5 % false among what they call, so in null worlds
    no more either: the bound is what a rate of 5 % exceeds once in a hundred times.
    """
    from scipy import stats

    worlds = sum(each["significant"] > 0 for each in null)
    bound = int(stats.binom.ppf(0.99, len(null), 0.05))
    yield Figure(
        f"{name}: null worlds with anything significant, of {len(null)}",
        str(worlds),
        f"<= {bound}",
        worlds <= bound,
    )
    eligible, found = (sum(each[key] for each in planted) for key in ("eligible", "eligible_significant"))
    share = found / eligible if eligible else 0.0
    yield Figure(
        f"{name}: planted with 99 % power found, of {eligible}", f"{share:.1%}", ">= 95 %", share >= 0.95
    )
    significant, false = (sum(each[key] for each in planted) for key in ("significant", "false"))
    rate = false / significant if significant else 0.0
    yield Figure(f"{name}: false among {significant} significant", f"{rate:.1%}", "<= 5 %", rate <= 0.05)


def controls(null: list[dict[str, Any]]) -> Iterator[Figure]:
    """What the designs of a side effect promise each for itself."""
    for design, promised in (("ssa", 0.06), ("scc", 0.06)):
        miss = float(np.mean([each["miss"][design] for each in null]))
        name = f"side effects: 95 % intervals of {design} that miss 1 where nothing harms"
        yield Figure(name, f"{miss:.1%}", f"<= {promised:.0%}", miss <= promised)
    small = float(np.mean([each["best_window_small"] for each in null]))
    yield Figure("side effects: best of five windows, p <= 0.05", f"{small:.1%}", "<= 6 %", small <= 0.06)
    p = float(np.mean([each["calibrated_small"] for each in null]))
    yield Figure(
        "side effects: calibrated p <= 0.05 where nothing harms", f"{p:.1%}", "3 to 7 %", 0.03 <= p <= 0.07
    )


def shuffled_retail(seeds: list[int]) -> Iterator[Figure]:
    """A foreign set (market baskets) with an outcome shuffled person by person among baskets of equal size."""
    import gzip

    from experiments.analyses.itemsets.significance import SearchSettings, significant_itemsets
    from experiments.kernels.histories import Histories

    folder = os.environ.get("PATTERNLAKE_DATA")
    if not folder:
        print("      (PATTERNLAKE_DATA names no folder: the foreign null was not run)", file=sys.stderr)
        return
    with gzip.open(Path(folder) / "itemsets" / "retail.dat.gz", "rt") as lines:
        rows = [sorted({int(item) for item in line.split()}) for line in lines]
    worlds = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(rows), 20_000, replace=False)
        baskets = [rows[k] for k in chosen]
        size = np.array([min(len(basket), 39) // 4 for basket in baskets])
        # the outcome is another item of the basket, so that it depends on size and on the customer: then shuffled
        has = np.array([48 in basket for basket in baskets])
        for k in range(10):
            has[size == k] = rng.permutation(has[size == k])
        order = np.lexsort((has, size))
        kept = [[item for item in baskets[k] if item != 48] for k in order]
        offsets = np.concatenate([[0], np.cumsum([len(basket) for basket in kept])]).astype(np.int64)
        codes = np.array([item for basket in kept for item in basket], np.int32)
        half = np.zeros(len(kept), np.int8)
        histories = Histories(
            offsets, codes, np.zeros(len(codes), np.int32), has[order].astype(np.int8), size[order].astype(np.int32), half,
            np.zeros(1, np.int64),
        )  # fmt: skip
        table = significant_itemsets(
            histories, 16_470, SearchSettings(support=200, longest=3, draws=200), seed, "-"
        ).table
        worlds += any(table.column("called").to_pylist())
    yield Figure(
        f"foreign baskets shuffled: anything significant, of {len(seeds)}", str(worlds), "<= 4", worlds <= 4
    )


def main() -> int:
    """All jobs; 1 when a figure falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=None, help="repeat a run; drawn anew by default")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=[*JOBS, "foreign"], action="append")
    options = parser.parse_args()
    first = options.first_seed if options.first_seed is not None else secrets.randbelow(2**31)
    seeds = list(range(first, first + options.seeds))
    print(f"first seed {first}, {options.seeds} worlds of each kind", file=sys.stderr)
    short = 0
    with ProcessPoolExecutor(options.workers) as pool:
        for name, (null, planted) in JOBS.items():
            if options.only and name not in options.only:
                continue
            quiet, found = (list(pool.map(work, seeds)) for work in (null, planted))
            figures = [*verdicts(name, quiet, found), *(controls(quiet) if name == "side effects" else ())]
            short += show(figures)
    if not options.only or "foreign" in options.only:
        short += show(list(shuffled_retail(seeds)))
    return 1 if short else 0


def show(figures: list[Figure]) -> int:
    """Print figures; how many fall short."""
    for figure in figures:
        print(
            f"{'ok  ' if figure.holds else 'FAIL'} {figure.name:62} {figure.measured:>8}   promised {figure.promised}",
            flush=True,
        )
    return sum(not figure.holds for figure in figures)


if __name__ == "__main__":
    sys.exit(main())
