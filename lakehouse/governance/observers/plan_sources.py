"""Reads the leaves of a live Spark plan: where its data comes from, at which Delta version, and where it goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lakehouse.governance.observers.observations import Leaf
from lakehouse.governance.plans.text import FILE_RDDS, plain_path
from lakehouse.spark_internals.plans import PlanLeaf, kind_of, plan_text, write_target

DELTA_STATE = "Delta Table State"
"""Part of the name Delta gives the RDD in which it keeps a table's list of files."""


def described(leaf: PlanLeaf) -> tuple[int, Leaf]:
    """A leaf's identity in the plan and what it stands for."""
    if leaf.kind in ("LogicalRDD", "ExternalRDD"):
        return leaf.identity, _rdd(leaf)
    if leaf.kind != "LogicalRelation":
        return leaf.identity, Leaf(leaf.kind, name=leaf.text)
    files = leaf.files
    if files is None:
        return leaf.identity, Leaf("Relation", name=leaf.relation)
    paths = [plain_path(path) for path in files.paths]
    if files.is_table:
        return leaf.identity, Leaf(files.name, paths[0], files.version)
    return leaf.identity, Leaf(files.name, paths[0] if paths else None, more=tuple(paths[1:]))


def _rdd(leaf: PlanLeaf) -> Leaf:
    """What the RDD under a frame comes from: Delta's own state, files, or data the job made itself."""
    text = leaf.lineage
    if DELTA_STATE in text:
        return Leaf("DeltaLog")
    files = next((kind for kind in FILE_RDDS if kind in text), None)
    return Leaf("FileRDD", name=files) if files else Leaf("RDD")


def of_delta(leaf: PlanLeaf) -> bool:
    """Whether a leaf is Delta's own state: its log files, or its cached list of files."""
    if leaf.kind == "LogicalRDD":
        return DELTA_STATE in leaf.lineage
    if leaf.kind != "LogicalRelation":
        return False
    files = leaf.files
    return files is not None and files.name == "DeltaLogFileIndex"


def targets_of(plan: Any) -> tuple[str, ...]:
    """Paths a command writes to."""
    path = write_target(plan)
    return () if path is None else (plain_path(path),)


def command_of(plan: Any, kinds: Iterable[str]) -> str:
    """Text of a plan that is a command on tables rather than a query, empty for a query.

    ``kinds`` are the classes of its leaves: some commands show only by a leaf that names a table.
    """
    if kind_of(plan).endswith("Command") or any(kind.startswith("Resolved") for kind in kinds):
        return plan_text(plan)
    return ""
