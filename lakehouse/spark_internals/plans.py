"""Live logical plans: their leaves, where a leaf's data comes from, and where a command writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lakehouse.spark_internals.connection import given

LONGEST_TEXT = 2000


def kind_of(node: Any) -> str:
    """Class name of a plan or another Java object, without its package."""
    return str(node.getClass().getName()).rsplit(".", 1)[-1]


def plan_text(plan: Any) -> str:
    """A plan as text, one node a line."""
    return str(plan.toString())


def plan_json(plan: Any) -> str:
    """JSON of a logical plan. It leaves out the escape character of LIKE, so one that is not the usual is marked."""
    text = str(plan.toJSON())
    if '"escapeChar":null' in text and " ESCAPE '" in plan_text(plan):
        return text.replace('"escapeChar":null', '"escapeChar":"?"')
    return text


@dataclass(frozen=True)
class FileIndex:
    """The list of files behind a relation; ``name`` is its class, Delta's own begin with ``Tahoe``."""

    name: str
    index: Any

    @property
    def is_table(self) -> bool:
        """Whether it lists a Delta table at one version."""
        return self.name.startswith("Tahoe")

    @property
    def version(self) -> int | None:
        """The table's version, ``None`` where it cannot be told."""
        snapshot = given(self.index, "snapshotAtAnalysis") or given(self.index, "snapshot")
        return None if snapshot is None else int(snapshot.version())

    @property
    def paths(self) -> tuple[str, ...]:
        """Folder of a Delta table, or the folders and files listed, as Hadoop writes them."""
        if self.is_table:
            return (str(self.index.path().toString()),)
        roots = self.index.rootPaths()
        return tuple(str(roots.apply(place).toString()) for place in range(roots.size()))


@dataclass(frozen=True)
class PlanLeaf:
    """A leaf of a plan; ``kind`` is its class name."""

    node: Any
    kind: str

    @property
    def identity(self) -> int:
        """Number of its first column, by which other nodes of the plan name it; -1 where it has none."""
        output = self.node.output()
        return -1 if output.isEmpty() else int(output.head().exprId().id())

    @property
    def text(self) -> str:
        """The leaf as a line of text."""
        return str(self.node.simpleString(LONGEST_TEXT))[:LONGEST_TEXT]

    @property
    def lineage(self) -> str:
        """What the RDD under a ``LogicalRDD`` or ``ExternalRDD`` was made from, as Spark's debug text."""
        return str(self.node.rdd().toDebugString())

    @property
    def relation(self) -> str:
        """Class name of what a ``LogicalRelation`` reads."""
        return kind_of(self.node.relation())

    @property
    def files(self) -> FileIndex | None:
        """The files a ``LogicalRelation`` reads; ``None`` where it reads no files."""
        index = given(self.node.relation(), "location")
        return None if index is None else FileIndex(str(index.getClass().getSimpleName()), index)


def leaves(plan: Any) -> Iterator[PlanLeaf]:
    """Leaves of a plan, of its subqueries, and of the query inside a command."""
    yield from _own_leaves(plan)
    subqueries = plan.subqueriesAll()
    for place in range(subqueries.size()):
        yield from _own_leaves(subqueries.apply(place))


def _own_leaves(plan: Any) -> Iterator[PlanLeaf]:
    found = plan.collectLeaves()
    for place in range(found.size()):
        node = found.apply(place)
        kind = kind_of(node)
        yield PlanLeaf(node, kind)
        if kind.endswith("Command") and kind != "CreateViewCommand":
            inner = node.innerChildren()
            for each in range(inner.size()):
                yield from leaves(inner.apply(each))


def write_target(plan: Any) -> str | None:
    """The path a command writes to, as Hadoop writes it; ``None`` for a plan that writes to no path."""
    kind = kind_of(plan)
    if kind == "InsertIntoHadoopFsRelationCommand":
        return str(plan.outputPath().toString())
    if kind == "SaveIntoDataSourceCommand":
        path = plan.options().get("path")
        return str(path.get()) if path.isDefined() else None
    return None
