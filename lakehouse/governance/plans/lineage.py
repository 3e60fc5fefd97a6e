"""Which columns of which study table a logical plan uses, how, and under which conditions; knows no Spark."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from lakehouse.governance.plans.predicates import render
from lakehouse.governance.plans.tree import Node

STUDY_TABLE = re.compile(r"^(?P<table>[a-z]+\.[a-z_]+)@(?P<study>[^#]+)#(?P<nonce>[0-9a-f]{8})$")
"""Name under which ``study.table`` puts a table into a plan: ``table@study#opening``."""


class Role(StrEnum):
    """How a column is used: it reaches the result, it selects rows, or it joins, groups or sorts."""

    DIRECT = "direct"
    FILTER = "filter"
    JOIN = "join"


Origin = tuple[int, str]
"""A column of a study table: index of the table in the plan, column name."""

Lineage = frozenset[Origin]
NOTHING: Lineage = frozenset()


@dataclass
class StudyTableUse:
    """One appearance of a study table in a plan."""

    table: str
    study: str
    nonce: str
    roles: dict[str, set[Role]] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)
    leaves: set[int] = field(default_factory=set)
    columns: tuple[str, ...] = ()


@dataclass
class PlanUse:
    """What a plan touches: study tables, leaves under none, names of files, outside programs, Java methods."""

    study_tables: list[StudyTableUse] = field(default_factory=list)
    outside: list[Node] = field(default_factory=list)
    file_names: bool = False
    scripts: bool = False
    reflection: bool = False


@dataclass
class Flow:
    """What an operator hands on: its columns in order with their origins, and the study tables still selectable."""

    columns: list[tuple[int, str, Lineage]]
    open: frozenset[int] = frozenset()

    @property
    def everything(self) -> Lineage:
        """Origins of all columns together."""
        return union(lineage for _, _, lineage in self.columns)


def union(lineages: Iterable[Lineage]) -> Lineage:
    """All origins of several columns."""
    return frozenset().union(*lineages)


def identity_of(item: Node) -> int:
    """A column's identity in the plan, -1 where it has none; the first column a session reads is number 0."""
    return -1 if item.expr_id is None else item.expr_id


KEEPS_ROWS = {"SubqueryAlias", "View", "ResolvedHint", "Repartition", "RebalancePartitions", "WithCTE"}
CUTS = {"GlobalLimit", "LocalLimit", "Limit", "Tail", "Offset", "Sample", "LimitAll"}
RANKS = ("Rank", "DenseRank", "PercentRank", "CumeDist", "NTile", "RowNumber")
"""Functions of a window's order alone: what they order by is used by the window, as join use."""
RUNS_NOTHING_ITSELF = ("CreateViewCommand", "ExplainCommand", "MergeIntoCommand")
REFLECTION = ("CallMethodViaReflection", "TryReflect")
"""Expressions that call any static Java method."""
OPAQUE = ("DeserializeToObject", "MapElements", "MapPartitions", "TypedFilter", "AppendColumns", "MapGroups")


class Walker:
    """Bottom-up pass over one plan; a subclass holds the rule of each operator, in a method named after it."""

    def __init__(self) -> None:
        self.found = PlanUse()
        self.origin: dict[int, Lineage] = {}
        self.text: dict[int, str | None] = {}
        self.common: dict[int, Flow] = {}

    def mark(self, lineage: Lineage, role: Role) -> None:
        """Note that these columns are used in a role."""
        for table, column in lineage:
            self.found.study_tables[table].roles.setdefault(column, set()).add(role)

    def flow(self, plan: Node) -> Flow:
        """Columns that leave an operator."""
        if plan.name == "SubqueryAlias" and (name := STUDY_TABLE.match(alias_of(plan))):
            return self.study_table(plan, name)
        rule = getattr(self, f"on_{plan.name.lower()}", None)
        if rule is not None:
            return rule(plan)  # type: ignore[no-any-return]
        if not plan.children:
            return self.leaf(plan)
        below = [self.flow(child) for child in plan.children]
        if plan.name in KEEPS_ROWS or plan.name in CUTS:
            kept = frozenset() if plan.name in CUTS else below[-1].open
            return Flow(below[-1].columns, kept)
        return self.unknown(plan, below)

    def study_table(self, plan: Node, name: re.Match[str]) -> Flow:
        """A study table: its columns are where lineage begins, and its insides are the platform's."""
        index = len(self.found.study_tables)
        use = StudyTableUse(name["table"], name["study"], name["nonce"])
        self.found.study_tables.append(use)
        columns = []
        for item in plan.children[0].trees("projectList"):
            identity, column = item.expr_id, str(item.fields.get("name"))
            if identity is not None:
                self.origin[identity] = frozenset({(index, column)})
                self.text[identity] = f"`{column}`"
                columns.append((identity, column, self.origin[identity]))
        use.columns = tuple(column for _, column, _ in columns)
        for node in plan.children[0].walk():
            if node.is_plan and not node.children and (output := node.trees("output")):
                use.leaves.add(identity_of(output[0]))
        return Flow(columns, frozenset({index}))

    def leaf(self, plan: Node) -> Flow:
        """A source that no study table stands over; a command's own query is followed as if its result were read."""
        inner = [held for held in plan.held() if held.is_plan]
        if not inner:
            self.found.outside.append(plan)
            return Flow([(identity_of(item), "", NOTHING) for item in plan.trees("output")])
        if plan.name not in RUNS_NOTHING_ITSELF:
            for held in inner:
                self.mark(self.flow(held).everything, Role.DIRECT)
        return Flow([])

    def unknown(self, plan: Node, below: list[Flow]) -> Flow:
        """An operator without a rule: hands its input on and counts all its expressions as direct use."""
        self.found.scripts |= plan.name.startswith("ScriptTransformation")
        columns = [column for flow in below for column in flow.columns]
        everything = union(lineage for _, _, lineage in columns)
        used = union(self.uses(held, everything) for held in plan.held())
        self.mark(everything if plan.name in OPAQUE else used, Role.DIRECT)
        for item in plan.trees("output"):
            if item.expr_id is not None and item.expr_id not in self.origin:
                columns.append((item.expr_id, str(item.fields.get("name")), used))
        return self.known(columns)

    def known(self, columns: list[tuple[int, str, Lineage]], open: frozenset[int] = frozenset()) -> Flow:
        """Remember where the columns come from, for the operators above."""
        for identity, _, lineage in columns:
            self.origin.setdefault(identity, lineage)
        return Flow(columns, open)

    def uses(self, expression: Node, fallback: Lineage) -> Lineage:
        """Origins of everything an expression refers to; a subquery's result counts, its insides are walked."""
        if expression.is_plan:
            return self.flow(expression).everything
        found: Lineage = NOTHING
        self.found.file_names |= expression.name.startswith("InputFile")
        self.found.reflection |= expression.name in REFLECTION
        if expression.name == "AttributeReference" and expression.expr_id is not None:
            found = self.origin.get(expression.expr_id, fallback)
        parts = expression.children[:1] if expression.name == "WindowExpression" else expression.children
        if expression.name in RANKS:
            parts = []
        for part in [*parts, *expression.held()]:
            inner = self.uses(part, fallback)
            found = found if expression.name == "Exists" and part.is_plan else found | inner
        return found

    def condition(self, part: Node, open: frozenset[int], fallback: Lineage, role: Role) -> None:
        """Note one condition, and add it to the study table it narrows."""
        lineage = self.uses(part, fallback)
        self.mark(lineage, role)
        tables = {table for table, _ in lineage}
        if len(tables) == 1 and tables <= open:
            text = render(part, lambda node: self.text.get(identity_of(node)))
            if text is not None:
                self.found.study_tables[tables.pop()].conditions.append(text)

    def item(self, item: Node, below: Flow) -> tuple[int, str, Lineage]:
        """One output expression: identity, name, origins; its text is kept for conditions above."""
        identity = item.expr_id if item.expr_id is not None else -1
        lineage = self.uses(item, below.everything)
        if item.name == "Alias":
            self.origin[identity] = lineage
            self.text[identity] = render(item.children[0], lambda node: self.text.get(identity_of(node)))
        return identity, str(item.fields.get("name")), lineage


def alias_of(plan: Node) -> str:
    """Name a ``SubqueryAlias`` gives."""
    identifier = plan.fields.get("identifier")
    return str(identifier.get("name", "")) if isinstance(identifier, dict) else ""
