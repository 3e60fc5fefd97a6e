"""The strongest patterns as boxes and arrows, read from left to right: what tends to come, and then what."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from experiments.presentation.plot_style import BLUE, INK, PAPER, RUST, canvas, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NODES, MOST_EDGES, MOST_LAYERS = 40, 45, 4
WIDTH, GAP, ROW = 2.1, 0.72, 0.5
"""Inches: width of a box, room for an arrow between two columns, height of a row."""

TREATMENTS = ("ATC//", "SKS//", "NCSP//", "CPT", "HCPCS", "RxNorm")
"""Beginnings of codes that stand for something done rather than something found."""


@dataclass(frozen=True)
class Place:
    """Where a box lies: column and row, from the top left."""

    column: float
    row: float


def chart(significant: pa.Table) -> Figure:
    """Arrows from each code to the one that follows more often; thicker means a larger relative risk.

    ``significant`` is checked and ordered by strength. At most 40 codes, 45 arrows and chains of four are drawn, the
    strongest first; of a pair found both ways the stronger way.
    """
    graph, texts = strongest(significant)
    if not graph:
        figure, axes = canvas(8.4, 1.2)
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No pattern to draw.", ha="center", va="center", transform=axes.transAxes)
        return figure
    places = arrange(graph)
    columns = 1 + max(place.column for place in places.values())
    rows = 1 + max(place.row for place in places.values())
    width = max(columns * (WIDTH + GAP) - GAP + 0.2, 8.4)
    figure, axes = canvas(width, rows * ROW + 0.7)
    axes.set_axis_off()
    axes.set_xlim(-0.1, width - 0.1)
    axes.set_ylim(-rows * ROW, 0.55)
    for a, b, facts in graph.edges(data=True):
        stops = [places[a], *(places[bend] for bend in bends(a, b, places)), places[b]]
        _arrow(axes, stops, facts["rr"], shared=graph.in_degree(b) > 1, fanned=graph.out_degree(a) > 1)
    for node in graph:
        _box(axes, places[node], texts.get(node) or node, node.startswith(TREATMENTS))
    axes.text(
        0, 0.3, "Round box: something found. Square box with a bar: medicine or procedure. "
        "The number is the relative risk.", fontsize=9.5, color=INK, va="bottom",
    )  # fmt: skip
    return figure


def strongest(significant: pa.Table) -> tuple[Any, dict[str, str]]:
    """Graph of the strongest pairs without cycles or over-long chains, and the names of its codes."""
    import networkx as nx

    graph: Any = nx.DiGraph()
    texts: dict[str, str] = {}
    names = ("code_a", "code_b", "text_a", "text_b", "rr")
    for a, b, text_a, text_b, rr in zip(
        *(significant.column(name).to_pylist() for name in names), strict=True
    ):
        if rr is None or rr <= 1 or graph.number_of_edges() >= MOST_EDGES:
            continue
        if len(graph) + len({a, b} - set(graph)) > MOST_NODES or (
            b in graph and a in graph and nx.has_path(graph, b, a)
        ):
            continue
        added = [node for node in (a, b) if node not in graph]
        graph.add_edge(a, b, rr=float(rr))
        if nx.dag_longest_path_length(graph, weight=None, default_weight=1) >= MOST_LAYERS:
            graph.remove_edge(a, b)
            graph.remove_nodes_from(added)
            continue
        texts |= {a: text_a or "", b: text_b or ""}
    return graph, texts


def arrange(graph: Any) -> dict[Any, Place]:
    """Column and row of every code: chains run left to right, unconnected parts are packed like text.

    An arrow over more than one column gets a place of its own in each column between (see :func:`bends`), so
    that it runs beside the boxes and not behind them.
    """
    import networkx as nx

    parts = sorted(nx.weakly_connected_components(graph), key=lambda part: (-len(part), min(part)))
    drawn = [_layers(graph.subgraph(part)) for part in parts]
    widest = MOST_LAYERS if any(len(layers) != 3 for layers in drawn) else 3
    places: dict[Any, Place] = {}
    column = row = shelf = 0
    for layers in drawn:
        height = max(len(layer) for layer in layers)
        if column + len(layers) > widest:
            column, row, shelf = 0, row + shelf, 0
        for offset, layer in enumerate(layers):
            start = row + (height - len(layer)) / 2
            places |= {node: Place(column + offset, start + index) for index, node in enumerate(layer)}
        column, shelf = column + len(layers), max(shelf, height)
    return places


def bends(a: str, b: str, places: Mapping[Any, Place]) -> list[tuple[str, str, int]]:
    """Names of the places between two codes more than one column apart."""
    between = ((a, b, step) for step in range(1, MOST_LAYERS))
    return [bend for bend in between if bend in places]


def _layers(part: Any) -> list[list[Any]]:
    """Nodes of one part by the longest way to them, each layer ordered by the middle of its neighbours."""
    import networkx as nx

    depth: dict[Any, int] = {}
    for node in nx.topological_sort(part):
        depth[node] = max((depth[before] + 1 for before in part.predecessors(node)), default=0)
    for node in sorted(depth, key=lambda one: -depth[one]):
        after = [depth[following] for following in part.successors(node)]
        if after:
            depth[node] = min(after) - 1
    full: Any = nx.DiGraph()
    full.add_nodes_from(part)
    for a, b in part.edges:
        way = [a, *((a, b, step) for step in range(1, depth[b] - depth[a])), b]
        depth |= {bend: depth[a] + step for step, bend in enumerate(way[1:-1], 1)}
        nx.add_path(full, way)
    layers: list[list[Any]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in sorted(depth, key=str):
        layers[depth[node]].append(node)
    _order(layers, full)
    return layers


def _order(layers: list[list[Any]], graph: Any) -> None:
    """Sort each layer by the middle of its neighbours in the one before, then after, a few times over."""
    rank = {node: float(index) for layer in layers for index, node in enumerate(layer)}
    for sweep in range(8):
        forth = sweep % 2 == 0
        for layer in layers if forth else reversed(layers):
            middle = {
                node: _mean((rank[one] for one in (graph.pred if forth else graph.succ)[node]), rank[node])
                for node in layer
            }
            layer.sort(key=lambda node, middle=middle: (middle[node], str(node)))  # type: ignore[misc]
            rank |= {node: index - (len(layer) - 1) / 2 for index, node in enumerate(layer)}


def _mean(values: Iterable[float], otherwise: float) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else otherwise


def _corner(place: Place) -> tuple[float, float]:
    """Left end and middle height of a box, inches."""
    return place.column * (WIDTH + GAP), -(place.row + 0.5) * ROW


def _arrow(axes: Axes, stops: list[Place], rr: float, *, shared: bool, fanned: bool) -> None:
    """An arrow from the first to the last stop with its relative risk where no other arrow writes one."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    points = [_corner(stop) for stop in stops]
    (x, y) = (points[0][0] + WIDTH, points[0][1])
    vertices, codes = [(x, y)], [Path.MOVETO]
    for index, (x1, y1) in enumerate(points[1:], 1):
        last = index == len(points) - 1
        bend = (x1 - x) / 2
        vertices += [(x + bend, y), (x1 - bend, y1), (x1 - 0.02 * last, y1)]
        codes += [Path.CURVE4] * 3
        if not last:
            vertices, codes = [*vertices, (x1 + WIDTH, y1)], [*codes, Path.LINETO]
        x, y = x1 + WIDTH, y1
    thick = 0.8 + 2.2 * float(np.clip(np.log(rr) / np.log(6), 0, 1))
    axes.add_patch(
        FancyArrowPatch(
            path=Path(vertices, codes),
            arrowstyle="-|>",
            mutation_scale=9,
            linewidth=thick,
            color="#7c8a97",
            zorder=1,
        )
    )
    (xa, ya), (xb, yb) = points[-2], points[-1]
    xa = xa + WIDTH
    place = (
        (xb - 0.24, yb) if not shared else (xa + 0.24, ya) if not fanned else ((xa + xb) / 2, (ya + yb) / 2)
    )
    axes.text(
        *place, f"{rr:.1f}", fontsize=8, color=INK, ha="center", va="center", zorder=3,
        bbox={"boxstyle": "round,pad=0.1", "facecolor": PAPER, "edgecolor": "none"},
    )  # fmt: skip


def _box(axes: Axes, place: Place, text: str, treatment: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = _corner(place)
    height = ROW * 0.76
    style = "square,pad=0" if treatment else "round,pad=0,rounding_size=0.12"
    axes.add_patch(
        FancyBboxPatch(
            (x, y - height / 2), WIDTH, height, boxstyle=style, linewidth=1.1, zorder=2,
            facecolor="#fbeee6" if treatment else "#eaf0f6", edgecolor=RUST if treatment else BLUE,
        )
    )  # fmt: skip
    if treatment:
        axes.add_patch(
            FancyBboxPatch((x, y - height / 2), 0.07, height, boxstyle="square,pad=0", facecolor=RUST,
                           edgecolor=RUST, zorder=2)
        )  # fmt: skip
    lines = textwrap.wrap(short(text, 52), 28)[:2]
    axes.text(x + WIDTH / 2 + 0.03, y, "\n".join(lines), fontsize=8.8, color=INK, ha="center", va="center",
              linespacing=1.0, zorder=3)  # fmt: skip
