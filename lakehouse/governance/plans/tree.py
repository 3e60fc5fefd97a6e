"""Spark's JSON form of a logical plan as a tree of plain Python nodes; knows no Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

STRUCTURE = ("class", "num-children")


@dataclass
class Node:
    """One plan node or expression: short class name, its own fields, its children in order."""

    name: str
    path: str
    fields: dict[str, Any]
    children: list[Node] = field(default_factory=list)

    @property
    def is_plan(self) -> bool:
        """Whether the node is an operator rather than an expression."""
        return ".expressions." not in self.path and (
            ".plans." in self.path or ".execution." in self.path or ".delta.commands" in self.path
        )

    @property
    def expr_id(self) -> int | None:
        """Identity of the attribute that an alias or attribute reference stands for."""
        given = self.fields.get("exprId")
        return int(given["id"]) if isinstance(given, dict) and "id" in given else None

    def trees(self, name: str) -> list[Node]:
        """The expressions or plans held in one field, however deeply the lists are nested."""
        return list(_trees(self.fields.get(name)))

    def held(self) -> Iterator[Node]:
        """Every expression or plan held in any field, children aside."""
        for value in self.fields.values():
            yield from _trees(value)

    def walk(self) -> Iterator[Node]:
        """This node, its children and whatever they hold in fields."""
        yield self
        for child in self.children:
            yield from child.walk()
        for held in self.held():
            yield from held.walk()


def parse_plan(text: str) -> Node:
    """Tree of ``TreeNode.toJSON``: nodes in preorder, each saying how many children follow."""
    return _build(iter(json.loads(text)))


def _build(nodes: Iterator[dict[str, Any]]) -> Node:
    content = next(nodes)
    path = content["class"]
    fields = {key: value for key, value in content.items() if key not in STRUCTURE}
    node = Node(path.rsplit(".", 1)[-1].rstrip("$"), path, fields)
    node.children = [_build(nodes) for _ in range(content["num-children"])]
    return node


def _trees(value: Any) -> Iterator[Node]:
    if not isinstance(value, list) or not value:
        return
    if isinstance(value[0], dict) and "class" in value[0]:
        nodes = iter(value)
        yield _build(nodes)
        return
    for item in value:
        yield from _trees(item)
