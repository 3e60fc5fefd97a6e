"""Reads the leaves of a live Spark plan: where its data comes from, at which Delta version, and where it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lakehouse.governance.observers.observations import Leaf
from lakehouse.governance.plans.text import FILE_RDDS, plain_path

DELTA_STATE = "Delta Table State"
"""Part of the name Delta gives the RDD in which it keeps a table's list of files."""


def described(leaf: Any, kind: str) -> tuple[int, Leaf]:
    """A leaf's identity in the plan and what it stands for."""
    output = leaf.output()
    identity = -1 if output.isEmpty() else int(output.head().exprId().id())
    if kind in ("LogicalRDD", "ExternalRDD"):
        return identity, _rdd(leaf)
    if kind != "LogicalRelation":
        return identity, Leaf(kind, name=leaf.simpleString(2000)[:2000])
    relation = leaf.relation()
    location = _given(relation, "location")
    if location is None:
        return identity, Leaf("Relation", name=relation.getClass().getName().rsplit(".", 1)[-1])
    index = location.getClass().getSimpleName()
    if index.startswith("Tahoe"):
        snapshot = _given(location, "snapshotAtAnalysis") or _given(location, "snapshot")
        version = None if snapshot is None else int(snapshot.version())
        return identity, Leaf(index, plain_path(location.path().toString()), version)
    roots = location.rootPaths()
    paths = [plain_path(roots.apply(place).toString()) for place in range(roots.size())]
    return identity, Leaf(index, paths[0] if paths else None, more=tuple(paths[1:]))


def _rdd(leaf: Any) -> Leaf:
    """What the RDD under a frame comes from: Delta's own state, files, or data the job made itself."""
    text = leaf.rdd().toDebugString()
    if DELTA_STATE in text:
        return Leaf("DeltaLog")
    files = next((kind for kind in FILE_RDDS if kind in text), None)
    return Leaf("FileRDD", name=files) if files else Leaf("RDD")


def leaves_of(plan: Any) -> Iterator[tuple[Any, str]]:
    """Leaves of a plan, of its subqueries, and of the query inside a command, each with its class name."""
    yield from _own_leaves(plan)
    subqueries = plan.subqueriesAll()
    for place in range(subqueries.size()):
        yield from _own_leaves(subqueries.apply(place))


def _own_leaves(plan: Any) -> Iterator[tuple[Any, str]]:
    found = plan.collectLeaves()
    for place in range(found.size()):
        leaf = found.apply(place)
        kind = str(leaf.getClass().getName()).rsplit(".", 1)[-1]
        yield leaf, kind
        if kind.endswith("Command") and kind != "CreateViewCommand":
            inner = leaf.innerChildren()
            for each in range(inner.size()):
                yield from leaves_of(inner.apply(each))


def of_delta(leaf: Any, kind: str) -> bool:
    """Whether a leaf is Delta's own state: its log files, or its cached list of files."""
    if kind == "LogicalRDD":
        return DELTA_STATE in leaf.rdd().toDebugString()
    if kind != "LogicalRelation":
        return False
    location = _given(leaf.relation(), "location")
    return location is not None and location.getClass().getSimpleName() == "DeltaLogFileIndex"


def targets_of(plan: Any) -> tuple[str, ...]:
    """Paths a command writes to."""
    kind = str(plan.getClass().getName()).rsplit(".", 1)[-1]
    if kind == "InsertIntoHadoopFsRelationCommand":
        return (plain_path(plan.outputPath().toString()),)
    if kind == "SaveIntoDataSourceCommand":
        path = plan.options().get("path")
        return (plain_path(path.get()),) if path.isDefined() else ()
    return ()


def command_of(plan: Any, kinds: Iterable[str]) -> str:
    """Text of a plan that is a command on tables rather than a query, empty for a query.

    ``kinds`` are the classes of its leaves: some commands show only by a leaf that names a table.
    """
    root = str(plan.getClass().getName()).rsplit(".", 1)[-1]
    if root.endswith("Command") or any(kind.startswith("Resolved") for kind in kinds):
        return str(plan.toString())
    return ""


def _given(thing: Any, method: str) -> Any:
    """What a Java object's method returns, or ``None`` when it has no such method."""
    from py4j.protocol import Py4JError

    try:
        return getattr(thing, method)()
    except Py4JError:
        return None
