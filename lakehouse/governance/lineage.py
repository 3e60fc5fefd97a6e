"""Which columns of which study table a logical plan uses, how, and under which conditions; knows no Spark."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from lakehouse.governance.plan_tree import Node
from lakehouse.governance.predicates import conjuncts, render

GATE = re.compile(r"^(?P<table>[a-z]+\.[a-z_]+)@(?P<study>[^#]+)#(?P<nonce>[0-9a-f]{8})$")
"""Name under which ``study.table`` puts a table into a plan: ``table@study#opening``."""


class Role(StrEnum):
    """How a column is used: it reaches the result, it selects rows, or it joins, groups or sorts."""

    DIRECT = "direct"
    FILTER = "filter"
    JOIN = "join"


Origin = tuple[int, str]
"""A column of a gate: index of the gate in the plan, column name."""

Lineage = frozenset[Origin]
NOTHING: Lineage = frozenset()


@dataclass
class GateUse:
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
    """What a plan touches: study tables, and leaves that no study table stands over."""

    gates: list[GateUse] = field(default_factory=list)
    outside: list[Node] = field(default_factory=list)


@dataclass
class Flow:
    """What an operator hands on: its columns in order with their origins, and the gates still selectable."""

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


def analyse(plan: Node) -> PlanUse:
    """Follow every column from the gates to the root of an analysed plan.

    Operators this function does not know count as using all their expressions directly and as stopping
    conditions from narrowing a read: what is not understood is never understated.
    """
    walker = Walker()
    root = walker.flow(plan)
    walker.mark(root.everything, Role.DIRECT)
    return walker.found


KEEPS_ROWS = {"SubqueryAlias", "View", "ResolvedHint", "Repartition", "RebalancePartitions", "WithCTE"}
CUTS = {"GlobalLimit", "LocalLimit", "Limit", "Tail", "Offset", "Sample", "LimitAll"}
LEFT_ONLY = ("LeftSemi", "LeftAnti")
OPAQUE = ("DeserializeToObject", "MapElements", "MapPartitions", "TypedFilter", "AppendColumns", "MapGroups")


class Walker:
    """Bottom-up pass over one plan; the methods named after operators hold the rule of each."""

    def __init__(self) -> None:
        self.found = PlanUse()
        self.origin: dict[int, Lineage] = {}
        self.text: dict[int, str | None] = {}
        self.common: dict[int, Flow] = {}

    def mark(self, lineage: Lineage, role: Role) -> None:
        """Note that these columns are used in a role."""
        for gate, column in lineage:
            self.found.gates[gate].roles.setdefault(column, set()).add(role)

    def flow(self, plan: Node) -> Flow:
        """Columns that leave an operator."""
        if plan.name == "SubqueryAlias" and (gate := GATE.match(alias_of(plan))):
            return self.gate(plan, gate)
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

    def gate(self, plan: Node, name: re.Match[str]) -> Flow:
        """A study table: its columns are where lineage begins, and its insides are the platform's."""
        index = len(self.found.gates)
        use = GateUse(name["table"], name["study"], name["nonce"])
        self.found.gates.append(use)
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
        """A source no gate stands over; a command's own query is followed as if its result were read."""
        inner = [held for held in plan.held() if held.is_plan]
        if not inner:
            self.found.outside.append(plan)
            return Flow([(identity_of(item), "", NOTHING) for item in plan.trees("output")])
        if plan.name not in ("CreateViewCommand", "ExplainCommand"):
            for held in inner:
                self.mark(self.flow(held).everything, Role.DIRECT)
        return Flow([])

    def unknown(self, plan: Node, below: list[Flow]) -> Flow:
        """An operator without a rule: hands its input on and counts all its expressions as direct use."""
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
        if expression.name == "AttributeReference" and expression.expr_id is not None:
            found = self.origin.get(expression.expr_id, fallback)
        for part in [*expression.children, *expression.held()]:
            inner = self.uses(part, fallback)
            found = found if expression.name == "Exists" and part.is_plan else found | inner
        return found

    def on_filter(self, plan: Node) -> Flow:
        """Conditions are filter use; those on one selectable gate narrow its read."""
        below = self.flow(plan.children[0])
        for part in conjuncts(plan.trees("condition")[0]):
            self.condition(part, below.open, below.everything, Role.FILTER)
        return below

    def condition(self, part: Node, open: frozenset[int], fallback: Lineage, role: Role) -> None:
        """Note one condition, and add it to the gate it narrows."""
        lineage = self.uses(part, fallback)
        self.mark(lineage, role)
        gates = {gate for gate, _ in lineage}
        if len(gates) == 1 and gates <= open:
            text = render(part, lambda node: self.text.get(identity_of(node)))
            if text is not None:
                self.found.gates[gates.pop()].conditions.append(text)

    def on_project(self, plan: Node) -> Flow:
        """Renames and computed columns."""
        below = self.flow(plan.children[0])
        return self.known([self.item(each, below) for each in plan.trees("projectList")], below.open)

    def item(self, item: Node, below: Flow) -> tuple[int, str, Lineage]:
        """One output expression: identity, name, origins; its text is kept for conditions above."""
        identity = item.expr_id if item.expr_id is not None else -1
        lineage = self.uses(item, below.everything)
        if item.name == "Alias":
            self.origin[identity] = lineage
            self.text[identity] = render(item.children[0], lambda node: self.text.get(identity_of(node)))
        return identity, str(item.fields.get("name")), lineage

    def on_aggregate(self, plan: Node) -> Flow:
        """Grouping is join use; what the aggregates compute flows on."""
        below = self.flow(plan.children[0])
        for key in plan.trees("groupingExpressions"):
            self.mark(self.uses(key, below.everything), Role.JOIN)
        return self.known([self.item(each, below) for each in plan.trees("aggregateExpressions")])

    def on_join(self, plan: Node) -> Flow:
        """The condition is join use; an inner or outer side stays selectable where Spark lets filters through."""
        left, right = self.flow(plan.children[0]), self.flow(plan.children[1])
        kind = join_type(plan)
        both = left.everything | right.everything
        for condition in plan.trees("condition"):
            for part in conjuncts(condition):
                narrowed = (left.open | right.open) if kind in ("Inner", "Cross") else frozenset()
                self.condition(part, narrowed, both, Role.JOIN)
        if kind in LEFT_ONLY:
            return Flow(left.columns, left.open)
        open = {
            "Inner": left.open | right.open,
            "Cross": left.open | right.open,
            "LeftOuter": left.open,
            "RightOuter": right.open,
        }.get(kind, frozenset())
        extra = [
            (identity_of(item), "exists", right.everything)
            for item in _trees_of(plan.fields.get("joinType"))
            if item.name == "AttributeReference"
        ]
        return self.known([*left.columns, *right.columns, *extra], open)

    def on_sort(self, plan: Node) -> Flow:
        """Order is join use."""
        below = self.flow(plan.children[0])
        for key in plan.trees("order"):
            self.mark(self.uses(key, below.everything), Role.JOIN)
        return below

    def on_window(self, plan: Node) -> Flow:
        """Partitions and order are join use; the window's values flow on beside the input."""
        below = self.flow(plan.children[0])
        for key in [*plan.trees("partitionSpec"), *plan.trees("orderSpec")]:
            self.mark(self.uses(key, below.everything), Role.JOIN)
        new = [self.item(each, below) for each in plan.trees("windowExpressions")]
        return self.known([*below.columns, *new])

    def on_deduplicate(self, plan: Node) -> Flow:
        """Keys decide which rows stay."""
        below = self.flow(plan.children[0])
        for key in plan.trees("keys"):
            self.mark(self.uses(key, below.everything), Role.JOIN)
        return Flow(below.columns)

    def on_distinct(self, plan: Node) -> Flow:
        """All columns decide which rows stay."""
        below = self.flow(plan.children[0])
        self.mark(below.everything, Role.JOIN)
        return Flow(below.columns, below.open)

    def on_repartitionbyexpression(self, plan: Node) -> Flow:
        """The partition keys place rows."""
        below = self.flow(plan.children[0])
        for key in plan.trees("partitionExpressions"):
            self.mark(self.uses(key, below.everything), Role.JOIN)
        return below

    def on_generate(self, plan: Node) -> Flow:
        """An exploded array flows on beside the input."""
        below = self.flow(plan.children[0])
        source = union(self.uses(each, below.everything) for each in plan.trees("generator"))
        new = [
            (identity_of(item), str(item.fields.get("name")), source)
            for item in plan.trees("generatorOutput")
        ]
        return self.known([*below.columns, *new], below.open)

    def on_expand(self, plan: Node) -> Flow:
        """Grouping sets: each output may come from any projection's expression at its place."""
        below = self.flow(plan.children[0])
        output = plan.trees("output")
        rows = [list(_trees_of(row)) for row in plan.fields.get("projections", [])]
        columns = []
        for place, item in enumerate(output):
            parts = [self.uses(row[place], below.everything) for row in rows if place < len(row)]
            columns.append((identity_of(item), str(item.fields.get("name")), union(parts)))
        return self.known(columns)

    def on_union(self, plan: Node) -> Flow:
        """Columns by place; the first input gives the names."""
        flows = [self.flow(child) for child in plan.children]
        columns = []
        for place, (identity, name, lineage) in enumerate(flows[0].columns):
            others = [flow.columns[place][2] for flow in flows[1:] if place < len(flow.columns)]
            merged = union([lineage, *others])
            self.origin[identity] = merged
            columns.append((identity, name, merged))
        return Flow(columns)

    def on_intersect(self, plan: Node) -> Flow:
        """All columns of both sides are compared."""
        left, right = self.flow(plan.children[0]), self.flow(plan.children[1])
        self.mark(left.everything | right.everything, Role.JOIN)
        return Flow(left.columns)

    on_except = on_intersect

    def python(self, plan: Node) -> Flow:
        """A function over batches sees all it is given: direct use; its results come from nowhere we know."""
        below = [self.flow(child) for child in plan.children]
        everything = union(flow.everything for flow in below)
        grouping = [key for key in plan.fields if key.lower().endswith("groupingattributes")]
        for key in grouping:
            for item in plan.trees(key):
                self.mark(self.uses(item, everything), Role.JOIN)
        self.mark(union(self.uses(each, everything) for each in plan.trees("functionExpr")), Role.DIRECT)
        return self.known([(identity_of(item), "", NOTHING) for item in plan.trees("output")])

    on_mapinpandas = on_mapinarrow = on_pythonmapinarrow = python
    on_flatmapgroupsinpandas = on_flatmapgroupsinarrow = python
    on_flatmapcogroupsinpandas = on_flatmapcogroupsinarrow = python

    def on_cterelationdef(self, plan: Node) -> Flow:
        """A named subquery, remembered for the places that refer to it."""
        flow = self.flow(plan.children[0])
        self.common[int(plan.fields.get("id", -1))] = flow
        return flow

    def on_cterelationref(self, plan: Node) -> Flow:
        """A place that refers to a named subquery: its columns by position under new identities."""
        target = self.common.get(int(plan.fields.get("cteId", -1)), Flow([]))
        columns = []
        for item, (_, name, lineage) in zip(plan.trees("output"), target.columns, strict=False):
            self.origin[identity_of(item)] = lineage
            columns.append((identity_of(item), name, lineage))
        return Flow(columns)

    def on_withcte(self, plan: Node) -> Flow:
        """Named subqueries first, whatever their place among the children."""
        definitions = [*plan.trees("cteDefs"), *plan.children]
        for each in definitions:
            if each.name == "CTERelationDef":
                self.flow(each)
        bodies = [each for each in [*plan.children, *plan.trees("plan")] if each.name != "CTERelationDef"]
        return self.flow(bodies[-1])


def alias_of(plan: Node) -> str:
    """Name a ``SubqueryAlias`` gives."""
    identifier = plan.fields.get("identifier")
    return str(identifier.get("name", "")) if isinstance(identifier, dict) else ""


def join_type(plan: Node) -> str:
    """Short name of a join's type, whatever form the JSON gives it."""
    given = plan.fields.get("joinType")
    text = str(given.get("object") or given.get("product-class", "")) if isinstance(given, dict) else ""
    return text.rsplit(".", 1)[-1].rstrip("$")


def _trees_of(value: object) -> list[Node]:
    return Node("", "", {"_": value}).trees("_")
