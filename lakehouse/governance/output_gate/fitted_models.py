"""Fitted models at the output gate: what an object carries of the persons it was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lakehouse.governance.output_gate.limits_and_verdict import Finding, Limits, gathered
from lakehouse.governance.output_gate.reasons import Rule

DEEPEST, MOST_OBJECTS = 12, 20_000
"""How far an object is followed before it is refused as too deep to judge."""


@dataclass(frozen=True)
class FittedModel:
    """A model as an object in memory, with what it was trained on (evidence, never leaves).

    ``training`` holds one row a person; ``labels`` how many persons have each category or interval the model
    names (label encoders, bucket edges); ``example`` is the input example logged beside it; ``members`` and
    ``strangers`` are the model's losses on persons of its training data and on others, for membership inference.
    """

    name: str
    model: Any
    training: np.ndarray | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    example: np.ndarray | None = None
    members: Sequence[float] = ()
    strangers: Sequence[float] = ()

    def judge(self, limits: Limits) -> list[Finding]:
        """Everything against letting this model out."""
        k = limits.persons
        rows = _row_keys(self.training)
        carried: list[str] = []
        leaves: list[str] = []
        clusters: list[str] = []
        unknown: list[str] = []
        for seen, (path, one) in enumerate(walk(self.model), 1):
            if seen >= MOST_OBJECTS:
                unknown.append(f"more than {MOST_OBJECTS} parts")
                break
            carried += _carried(path, one, rows, self.training, k)
            leaves += _leaves(path, one, k)
            clusters += _clusters(path, one, k)
        found = gathered(Rule.TRAINING_ROWS, self.name, carried, k)
        found += gathered(Rule.SMALL_LEAF, self.name, leaves, k)
        found += gathered(Rule.SMALL_CLUSTER, self.name, clusters, k)
        found += gathered(Rule.UNREADABLE, self.name, unknown, k)
        rare = [f"{label}: {n}" for label, n in self.labels.items() if 0 < n < k]
        found += gathered(Rule.RARE_LABEL, self.name, rare, k)
        if self.example is not None and rows & _row_keys(self.example):
            found += gathered(Rule.REAL_EXAMPLE, self.name, ["input example"], k)
        advantage = membership_advantage(self.members, self.strangers)
        told = [f"advantage {advantage:.3f}"] if advantage > limits.membership_advantage else []
        return found + gathered(Rule.MEMBERSHIP, self.name, told, limits.membership_advantage)


def membership_advantage(members: Sequence[float], strangers: Sequence[float]) -> float:
    """Largest true less false positive rate of telling members by a low loss, above what chance gives.

    The Kolmogorov-Smirnov distance of the two samples, less its 95 % point when there is nothing to find; 0
    without both samples.
    """
    if not len(members) or not len(strangers):
        return 0.0
    inside, outside = np.sort(members), np.sort(strangers)
    at = np.concatenate([inside, outside])
    true = np.searchsorted(inside, at, side="right") / len(inside)
    false = np.searchsorted(outside, at, side="right") / len(outside)
    chance = 1.22 * np.sqrt(1 / len(inside) + 1 / len(outside))
    return float(max(0.0, (true - false).max() - chance))


def walk(model: Any) -> Iterator[tuple[str, Any]]:
    """Every object a model holds, with the way to it; each once, at most :data:`DEEPEST` steps away."""
    waiting: list[tuple[str, Any, int]] = [(type(model).__name__, model, 0)]
    seen: set[int] = set()
    while waiting:
        path, one, depth = waiting.pop()
        if id(one) in seen or isinstance(one, str | bytes | int | float | bool | type(None) | type):
            continue
        seen.add(id(one))
        yield path, one
        if depth >= DEEPEST:
            continue
        if isinstance(one, Mapping):
            waiting += [(f"{path}[{key!r}]", value, depth + 1) for key, value in one.items()]
        elif isinstance(one, list | tuple | set | frozenset) and len(one) < MOST_OBJECTS:
            waiting += [(f"{path}[]", value, depth + 1) for value in one]
        elif isinstance(one, np.ndarray):
            if one.dtype == object:
                waiting += [(f"{path}[]", value, depth + 1) for value in one.ravel()[:MOST_OBJECTS]]
        else:
            inside = dict(getattr(one, "__dict__", {}))
            state = getattr(one, "__getstate__", None)
            if not inside and callable(state) and type(one).__module__.split(".")[0] != "numpy":
                try:
                    got = state()
                except Exception:
                    got = None
                inside = got if isinstance(got, dict) else {"state": got} if isinstance(got, tuple) else {}
            waiting += [(f"{path}.{key}", value, depth + 1) for key, value in inside.items()]


def _carried(path: str, one: Any, rows: set[bytes], training: np.ndarray | None, k: int) -> Iterator[str]:
    """Arrays whose rows are training rows, or that have one row for each person."""
    if hasattr(one, "toarray") and hasattr(one, "shape"):
        one = one.toarray() if one.shape[0] * one.shape[1] <= 50_000_000 else one
    if not isinstance(one, np.ndarray) or one.dtype == object or not one.size or training is None:
        return
    if one.ndim == 2 and rows and one.shape[1] == training.shape[1]:
        known = len(rows & _row_keys(one))
        if known:
            yield f"{path}: {known} rows of the training data"
            return
    if one.ndim and len(one) == len(training) and len(training) > k:
        yield f"{path}: a row for each of the {len(training)} persons"


def _leaves(path: str, one: Any, k: int) -> Iterator[str]:
    """Leaves of trees (scikit-learn's, LightGBM's) with too few persons."""
    children, samples = getattr(one, "children_left", None), getattr(one, "n_node_samples", None)
    if isinstance(children, np.ndarray) and isinstance(samples, np.ndarray):
        few = samples[(children == -1) & (samples < k)]
        if len(few):
            yield f"{path}: {len(few)} leaves, the smallest of {few.min()}"
    dump = getattr(one, "dump_model", None)
    if callable(dump) and hasattr(one, "num_trees"):
        few_leaves = [n for n in _leaf_counts(dump()["tree_info"]) if n < k]
        if few_leaves:
            yield f"{path}: {len(few_leaves)} leaves, the smallest of {min(few_leaves)}"


def _leaf_counts(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        if "leaf_count" in value:
            yield int(value["leaf_count"])
        for inner in value.values():
            yield from _leaf_counts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaf_counts(inner)


def _clusters(path: str, one: Any, k: int) -> Iterator[str]:
    """Clusters with too few persons, by the labels or the weights a model keeps."""
    labels = getattr(one, "labels_", None)
    if isinstance(labels, np.ndarray) and labels.ndim == 1:
        _, sizes = np.unique(labels, return_counts=True)
        if (sizes < k).any():
            yield f"{path}: {int((sizes < k).sum())} clusters, the smallest of {int(sizes.min())}"
    counts = getattr(one, "_counts", getattr(one, "cluster_sizes_", None))
    if isinstance(counts, np.ndarray) and ((counts > 0) & (counts < k)).any():
        yield f"{path}: a cluster of {int(counts[counts > 0].min())}"


def _row_keys(rows: np.ndarray | None) -> set[bytes]:
    """Rows as keys that compare equal across number types."""
    if rows is None:
        return set()
    array = np.atleast_2d(np.asarray(rows))
    if array.dtype.kind in "biuf":
        plain = np.ascontiguousarray(np.round(array.astype(np.float64), 6) + 0.0)
        distinct = plain[np.any(plain != plain[:, :1], axis=1)] if plain.shape[1] > 1 else plain[:0]
        return {row.tobytes() for row in distinct}
    return {"\x1f".join(map(str, row)).encode() for row in array}
