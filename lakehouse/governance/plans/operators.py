"""How each operator of a Spark plan uses and hands on columns: one rule an operator."""

from __future__ import annotations

from lakehouse.governance.plans.lineage import (
    NOTHING,
    Flow,
    PlanUse,
    Role,
    Walker,
    identity_of,
    union,
)
from lakehouse.governance.plans.predicates import conjuncts
from lakehouse.governance.plans.tree import Node

LEFT_ONLY = ("LeftSemi", "LeftAnti")


def analyse(plan: Node) -> PlanUse:
    """Follow every column from the study tables to the root of an analysed plan.

    Operators this function does not know count as using all their expressions directly and as stopping
    conditions from narrowing a read: what is not understood is never understated.
    """
    walker = Operators()
    root = walker.flow(plan)
    walker.mark(root.everything, Role.DIRECT)
    return walker.found


class Operators(Walker):
    """The rules, named after the operators they hold for."""

    def on_filter(self, plan: Node) -> Flow:
        """Conditions are filter use; those on one selectable study table narrow its read."""
        below = self.flow(plan.children[0])
        for part in conjuncts(plan.trees("condition")[0]):
            self.condition(part, below.open, below.everything, Role.FILTER)
        return below

    def on_project(self, plan: Node) -> Flow:
        """Renames and computed columns."""
        below = self.flow(plan.children[0])
        return self.known([self.item(each, below) for each in plan.trees("projectList")], below.open)

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

    def on_appenddata(self, plan: Node) -> Flow:
        """A write to a table of another source: what is written is its input, its target is no source."""
        return self.flow(plan.children[0])

    on_overwritebyexpression = on_overwritepartitionsdynamic = on_appenddata

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


def join_type(plan: Node) -> str:
    """Short name of a join's type, whatever form the JSON gives it."""
    given = plan.fields.get("joinType")
    text = str(given.get("object") or given.get("product-class", "")) if isinstance(given, dict) else ""
    return text.rsplit(".", 1)[-1].rstrip("$")


def _trees_of(value: object) -> list[Node]:
    return Node("", "", {"_": value}).trees("_")
