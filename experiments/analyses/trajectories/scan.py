"""Chains of patterns: which persons walk from one event to the next, and to the one after, more often than expected?

Pairs that are significant, directional and replicated are the links. Paths of links are counted by the real first
days of every person, length by length; a path is only made longer where enough persons walk it. What is tested of a
path is its last step: does it follow, in those who walked the rest, more often than after comparable exposures?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from experiments.analyses.pairs.scan import ALL_AT_ONCE, PairScan, scan
from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.reference import ReferenceCounts
from experiments.kernels.spans import SpanPass
from experiments.kernels.trajectories import LONGEST, PathCounts, PathPass
from experiments.statistics.distributions.tails import mid_p_tails, two_sided_log10
from experiments.statistics.error_control.multiplicity import q_values
from experiments.statistics.error_control.replication import replicate
from experiments.statistics.estimates.relative_risk import relative_risk
from experiments.statistics.estimates.shares import share_with_interval
from experiments.statistics.survival.time_to_event import reached_by

RunPass = Callable[..., Any]
PATHS_AT_ONCE = 2_000
"""Candidate paths of one pass; each keeps its days to the step (15 KB)."""
YEAR = 365
ALIKE = 0.3
"""Jaccard index of the codes of two trajectories from which on they are neighbours."""
SHARES = (0.05, 0.25, 0.50, 0.75, 0.95)


@dataclass(frozen=True)
class Steps:
    """What is wanted of a search for trajectories."""

    support: int = 20
    longest: int = LONGEST
    level: float = 0.05
    min_persons: int = 20

    def __post_init__(self) -> None:
        if not 2 <= self.longest <= LONGEST:
            raise ValueError(f"a path has 2 to {LONGEST} codes")


@dataclass(frozen=True)
class PathTotals:
    """Candidate paths of one length and what was counted of them; ``times`` of those in ``kept`` alone."""

    paths: NDArray[np.int32]
    at_risk: NDArray[np.int64]
    stepped: NDArray[np.int64]
    expected: NDArray[np.float64]
    kept: NDArray[np.bool_]
    times: NDArray[np.int32]

    @staticmethod
    def of(paths: NDArray[np.int32], parts: list[PathCounts], support: int) -> PathTotals:
        """Join what several batches counted; paths with fewer than ``support`` persons need no times.

        ``paths`` [path, code] in the order the parts counted them.
        """
        stepped = np.concatenate([part.stepped for part in parts])
        kept = stepped.sum(axis=1) >= support
        cuts = np.cumsum([len(part.stepped) for part in parts])[:-1]
        times = [part.times[some] for part, some in zip(parts, np.split(kept, cuts), strict=True)]
        return PathTotals(
            paths,
            np.concatenate([part.at_risk for part in parts]),
            stepped,
            np.concatenate([part.expected for part in parts]),
            kept,
            np.concatenate(times),
        )


@dataclass(frozen=True)
class TrajectoryScan:
    """A row for every candidate path in ``table`` (codes as numbers), and the pair scan beneath."""

    table: pa.Table
    pairs: PairScan
    links: int


class _CachedPasses:
    """Runs passes and keeps the reference of the pair scan, which the paths are compared with too."""

    def __init__(self, run_pass: RunPass) -> None:
        self._run_pass = run_pass
        self.reference: ReferenceCounts | None = None

    def __call__(self, counting: type[Any], arguments: Mapping[str, Any]) -> Any:
        counts = self._run_pass(counting, arguments)
        if isinstance(counts, ReferenceCounts):
            self.reference = counts
        return counts


def find_trajectories(
    run_pass: RunPass,
    settings: PairScanSettings,
    wanted: Steps,
    *,
    terminal: tuple[int, ...] = (),
    contacts: tuple[int, ...] = (),
    family: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> TrajectoryScan:
    """Links by the pair scan, then all paths of links with enough persons, tested and clustered.

    ``family`` [code] numbers groups of overlapping codes; after ``contacts`` no link goes, as in the pair scan.
    """
    remembering = _CachedPasses(run_pass)
    pairs = scan(
        remembering,
        settings,
        terminal=terminal,
        contacts=contacts,
        min_persons=wanted.min_persons,
        level=wanted.level,
        family=family,
        memory=ALL_AT_ONCE,
    )
    reference, settings = remembering.reference, pairs.settings
    assert reference is not None
    links = links_of(pairs.table)
    shared = {"settings": settings, "reference": reference, "terminal": terminal, "bin_days": 1}
    shared["last_day"] = run_pass(SpanPass, {}).last_day
    lengths = count_lengths(run_pass, shared, links, wanted)
    table = _table(lengths, reference.persons_with(), wanted, settings.horizon_days, seed)
    return TrajectoryScan(table, pairs, len(links))


def links_of(table: pa.Table) -> NDArray[np.int32]:
    """Ordered pairs fit to be links: significant, more often than expected, forward in time, replicated; in order.

    ``table`` is a pair scan's; returns [link, (a, b)].
    """
    wanted = pc.and_(
        pc.fill_null(table.column("called"), False), pc.fill_null(table.column("replicated_person"), False)
    )
    wanted = pc.and_(wanted, pc.fill_null(pc.greater(table.column("rr"), 1.0), False))
    wanted = pc.and_(
        wanted, pc.fill_null(pc.equal(table.column("direction").cast(pa.string()), "forward"), False)
    )
    chosen = table.filter(wanted)
    links = np.stack([np.asarray(chosen.column(name)) for name in ("code_a", "code_b")], axis=1)
    return links[np.lexsort(links.T[::-1])].astype(np.int32)


def count_lengths(
    run_pass: RunPass, shared: dict[str, Any], links: NDArray[np.int32], wanted: Steps
) -> list[PathTotals]:
    """Candidate paths and their counts, length by length, as long as enough persons walk one.

    ``links`` [link, (a, b)].
    """
    lengths: list[PathTotals] = []
    candidates = links
    while len(candidates):
        parts = [
            run_pass(PathPass, {**shared, "paths": candidates[start : start + PATHS_AT_ONCE]})
            for start in range(0, len(candidates), PATHS_AT_ONCE)
        ]
        lengths.append(PathTotals.of(candidates, parts, wanted.support))
        if candidates.shape[1] == wanted.longest:
            break
        candidates = longer(candidates[lengths[-1].kept], links)
    return lengths


def longer(paths: NDArray[np.int32], links: NDArray[np.int32]) -> NDArray[np.int32]:
    """Paths one code longer, both ends of which are paths themselves: nobody walks the whole without the parts.

    ``paths`` [path, code] and ``links`` [link, (a, b)]; returns [longer path, code] in lexicographic order.
    """
    known = {tuple(path) for path in paths.tolist()}
    following: dict[int, list[int]] = {}
    for a, b in links.tolist():
        following.setdefault(a, []).append(b)
    made = sorted(
        (*path, code)
        for path in known
        for code in following.get(path[-1], ())
        if code not in path and (*path[1:], code) in known
    )
    return np.array(made, np.int32).reshape(len(made), paths.shape[1] + 1)


def _table(
    lengths: list[PathTotals], persons_with: NDArray[np.int64], wanted: Steps, horizon: int, seed: int
) -> pa.Table:
    """All candidate paths with their tests, what went on and when."""
    paths = [tuple(path) for counted in lengths for path in counted.paths.tolist()]
    if not paths:
        return _columns([], persons_with, horizon)
    at_risk, stepped, expected, kept, times = (
        np.concatenate([getattr(counted, name) for counted in lengths])
        for name in ("at_risk", "stepped", "expected", "kept", "times")
    )
    walked, o = at_risk.sum(axis=1).astype(np.float64), stepped.sum(axis=1).astype(np.float64)
    e, v = (np.ascontiguousarray(each) for each in expected.sum(axis=1).T)
    nothing = np.zeros(len(o))
    tested = walked >= wanted.support
    log10_p = two_sided_log10(*mid_p_tails(o, e, v))
    q_bh, q_by = q_values(log10_p, tested)
    significant = (np.nan_to_num(q_bh, nan=1.0) <= wanted.level) & (o > e) & (o >= wanted.support)
    risk = relative_risk(o, e, nothing, v, nothing)
    locked = np.stack([stepped[:, 1], expected[:, 1, 0], nothing, expected[:, 1, 1], nothing], axis=1)
    again = replicate(locked, np.ones(len(o), bool), significant, wanted.level)
    share, low, high = share_with_interval(o, walked)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (o - e) / np.sqrt(v)
    return _columns(
        paths,
        persons_with,
        horizon,
        n_walked=walked.astype(np.int32), n_person=o.astype(np.int32), O=o.astype(np.int32),
        E=e, V=v, rr=risk.rr, rr_low=risk.low, rr_high=risk.high, z=z, log10_p=log10_p, q_bh=q_bh, q_by=q_by,
        share=share, share_low=low, share_high=high, tested=tested, called=significant,
        replicated_person=pa.array(again == 1, mask=again < 0), cluster=clusters(paths, significant, seed),
        **_when(paths, kept, significant, times),
    )  # fmt: skip


def _columns(
    paths: list[tuple[int, ...]], persons_with: NDArray[np.int64], horizon: int, **counted: Any
) -> pa.Table:
    """The table: what each path is, and what was counted; without paths, the columns a job must give."""
    codes = np.array([path[0] for path in paths], np.int64)
    columns = {
        "items": pa.array([list(path) for path in paths], pa.list_(pa.int32())),
        "window": pa.array([f"1-{horizon}"] * len(paths), pa.string()),
        "steps": np.array([len(path) for path in paths], np.int32),
        "n_a": persons_with[codes].astype(np.int32),
    }
    if not paths:
        empty = {"n_walked": np.int32, "n_person": np.int32, "O": np.int32, "E": np.float64}
        columns |= {name: np.zeros(0, kind) for name, kind in empty.items()}
        columns |= {name: np.zeros(0, bool) for name in ("tested", "called", "replicated_person")}
    return pa.table({name: _array(values) for name, values in (columns | counted).items()})


def _when(
    paths: list[tuple[int, ...]],
    kept: NDArray[np.bool_],
    significant: NDArray[np.bool_],
    times: NDArray[np.int32],
) -> dict[str, Any]:
    """Days to the last step by quantile, the median of every step, and who had taken it within a year."""
    lags, year = np.full((len(paths), len(SHARES)), np.nan), np.full((len(paths), 3), np.nan)
    lags[kept] = _quantiles(times[:, 0])
    for place, row in enumerate(np.flatnonzero(kept)):
        if significant[row]:
            year[row] = reached_by(YEAR, times[place, 0], times[place, 1])[:3]
    middle = dict(zip(paths, lags[:, SHARES.index(0.5)].tolist(), strict=True))
    steps = [[middle[path[: n + 1]] for n in range(1, len(path))] for path in paths]
    columns: dict[str, Any] = {"step_days": pa.array(steps, pa.list_(pa.float32()))}
    columns |= {f"lag_q{round(100 * each):02d}": lags[:, place] for place, each in enumerate(SHARES)}
    names = ("within_year", "within_year_low", "within_year_high")
    return columns | {name: year[:, place] for place, name in enumerate(names)}


def _array(values: Any) -> pa.Array:
    return pa.array(values, from_pandas=True) if isinstance(values, np.ndarray) else values


def _quantiles(days: NDArray[np.int32]) -> NDArray[np.float64]:
    """Quantiles by row: the smallest number of days this share of the persons did not exceed."""
    found = np.full((len(days), len(SHARES)), np.nan)
    running = np.cumsum(days, axis=1)
    for row in np.flatnonzero(days.any(axis=1)):
        for place, share in enumerate(SHARES):
            need = max(int(np.ceil(share * running[row, -1] - 1e-9)), 1)
            found[row, place] = np.searchsorted(running[row], need) + 1
    return found


def clusters(paths: list[tuple[int, ...]], significant: NDArray[np.bool_], seed: int) -> pa.Array:
    """Significant paths that share codes (Jaccard index at least ``ALIKE``), by Louvain communities numbered by size.

    ``significant`` [path]; returns a number [path], null for paths that are not significant.
    """
    chosen = np.flatnonzero(significant).tolist()
    sets = {row: frozenset(paths[row]) for row in chosen}
    having: dict[int, list[int]] = {}
    for row, codes in sets.items():
        for code in codes:
            having.setdefault(code, []).append(row)
    graph = nx.Graph()
    graph.add_nodes_from(chosen)
    for row, codes in sets.items():
        for other in {each for code in codes for each in having[code] if each > row}:
            alike = len(codes & sets[other]) / len(codes | sets[other])
            if alike >= ALIKE:
                graph.add_edge(row, other, weight=alike)
    numbers = np.full(len(paths), -1, np.int32)
    found = nx.community.louvain_communities(graph, seed=seed % 2**32) if chosen else []
    for number, members in enumerate(sorted(found, key=lambda each: (-len(each), min(each)))):
        numbers[list(members)] = number
    return pa.array(numbers, mask=numbers < 0)
