"""Three pictures of a run: effect against evidence, what follows what, and whether the comparison was calibrated."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, PAPER, GREY, BLUE, RUST = "#1a1a1a", "#ffffff", "#b9b9b9", "#1f4e79", "#b3541e"
"""Blue and rust differ in lightness, so a greyscale print keeps them apart; shapes differ too."""

DPI = 200
LABELLED = 8
MOST_NODES, MOST_EDGES = 40, 45


@dataclass(frozen=True)
class Null:
    """Centre and spread of z over the pairs that carry no effect (Efron's empirical null); sd 1 is calibrated."""

    mean: float
    sd: float
    pairs: int

    @property
    def calibrated(self) -> bool:
        """Whether the theoretical null can be trusted."""
        return self.sd <= 1.1


def draw(checked: pa.Table, called: pa.Table, z: np.ndarray, null: Null) -> dict[str, bytes]:
    """All pictures as PNG by file name.

    ``checked`` and ``called`` are checked tables; ``z`` holds z of every tested pair with E ≥ 5, of which only
    the numbers of pairs in a bin are drawn.
    """
    return {
        "volcano.png": png(volcano(checked, called)),
        "network.png": png(network(called)),
        "calibration.png": png(calibration(z, null)),
    }


def png(figure: Figure) -> bytes:
    """A figure as PNG, without the time or tool it was made with."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, facecolor=PAPER, metadata={"Software": None})
    return buffer.getvalue()


def volcano(checked: pa.Table, called: pa.Table) -> Figure:
    """Relative risk (log scale) against −log10 p of every shown pair; called ones stand out, the strongest named."""
    figure, axes = _canvas(7.2, 4.6)
    rr, strength = _points(checked)
    axes.scatter(rr, strength, s=5, color=GREY, linewidths=0, alpha=0.6, rasterized=True, label="not called")
    found_rr, found_strength = _points(called)
    for harmful, marker, colour, label in ((True, "^", RUST, "more often"), (False, "v", BLUE, "less often")):
        chosen = (found_rr > 1) == harmful
        if chosen.any():
            axes.scatter(
                found_rr[chosen], found_strength[chosen], s=20, marker=marker, color=colour, edgecolors=PAPER,
                linewidths=0.4, label=f"called, {label} than expected",
            )  # fmt: skip
    axes.axvline(1, color=INK, linewidth=0.6)
    axes.set_xscale("log")
    axes.set_yscale("function", functions=(_root, np.square))
    every = np.concatenate([rr, found_rr])
    low, high = (max(0.05, every.min()), min(60, every.max())) if len(every) else (0.5, 2)
    low, high = min(low / 1.15, 0.6), max(high * 1.25, 1.8)
    ticks = [t for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low <= t <= high]
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    top = max(float(np.concatenate([strength, found_strength, [4]]).max()), 4)
    axes.set_ylim(0, top * 1.12)
    axes.set_yticks([t for t in (0, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if t <= top * 1.12])
    axes.set_xlabel("Relative risk (1 = as often as in comparable persons)")
    axes.set_ylabel("Strength of evidence, −log₁₀ p")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.12), ncols=3, frameon=False, handletextpad=0.2)
    names = [f"{_short(a, 22)} → {_short(b, 22)}" for a, b in _names(called)[:LABELLED]]
    _label(axes, found_rr[:LABELLED], found_strength[:LABELLED], names)
    return figure


def network(called: pa.Table) -> Figure:
    """The strongest called pairs as arrows between codes; thicker means a larger relative risk."""
    import networkx as nx

    figure, axes = _canvas(9.6, 7.4)
    axes.set_axis_off()
    graph = nx.DiGraph()
    names = _names(called)
    rr = np.asarray(called.column("rr"), dtype=float)
    for (a, b), ratio in zip(names, rr, strict=True):
        wanted = {a, b} - set(graph)
        if ratio > 1 and len(graph) + len(wanted) <= MOST_NODES and graph.number_of_edges() < MOST_EDGES:
            graph.add_edge(a, b, rr=float(ratio))
    if not graph:
        axes.text(0.5, 0.5, "No pattern to draw", ha="center", transform=axes.transAxes, color=INK)
        return figure
    places = _places(graph)
    sizes = {node: 60 + 45 * graph.degree(node) for node in graph}
    ratios = np.array([edge["rr"] for _, _, edge in graph.edges(data=True)])
    widths = 0.7 + 2.2 * np.clip(np.log(ratios) / np.log(6), 0, 1)
    nx.draw_networkx_edges(
        graph, places, ax=axes, width=widths.tolist(), edge_color="#6f7f8f", arrowsize=11, arrowstyle="-|>",
        node_size=[sizes[node] for node in graph], connectionstyle="arc3,rad=0.06", min_target_margin=7,
    )  # fmt: skip
    shapes = {True: ("s", RUST), False: ("o", BLUE)}
    for treatment, (shape, colour) in shapes.items():
        nodes = [node for node in graph if node.startswith(("ATC", "SKS")) is treatment]
        nx.draw_networkx_nodes(
            graph, places, nodelist=nodes, ax=axes, node_shape=shape, node_color=colour, edgecolors=PAPER,
            node_size=[sizes[node] for node in nodes],
        )  # fmt: skip
    texts = _texts(called)
    labels = {node: "\n".join(textwrap.wrap(_short(texts.get(node) or node, 40), 21)) for node in graph}
    _spread_labels(axes, places, labels)
    axes.margins(0.12)
    figure.text(
        0.01, 0.01, "Circle: diagnosis, contact or finding. Square: medicine or procedure. Arrow: the second follows "
        "the first more often than expected; thicker is stronger.", fontsize=8, color=INK,
    )  # fmt: skip
    return figure


def calibration(z: np.ndarray, null: Null) -> Figure:
    """Histogram of z with the curve it should follow and the one it does."""
    figure, axes = _canvas(7.2, 3.6)
    edges = np.linspace(-6, 6, 61)
    clipped = np.clip(z[np.isfinite(z)], -6, 6)
    counts, _ = np.histogram(clipped, edges)
    width = edges[1] - edges[0]
    total = max(counts.sum(), 1)
    axes.bar(
        edges[:-1],
        counts / total / width,
        width=width,
        align="edge",
        color="#d9d9d9",
        edgecolor=PAPER,
        lw=0.3,
    )
    grid = np.linspace(-6, 6, 400)
    for mean, sd, colour, style, label in (
        (0.0, 1.0, INK, "--", "if nothing were linked and all is right (sd 1)"),
        (null.mean, null.sd, RUST, "-", f"as the middle of this run has it (sd {null.sd:.2f})"),
    ):
        axes.plot(grid, np.exp(-0.5 * ((grid - mean) / sd) ** 2) / sd / np.sqrt(2 * np.pi), style, color=colour,
                  linewidth=1.4, label=label)  # fmt: skip
    axes.set_xlim(-6, 6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(
        "z = (observed − expected) / √variance, pairs with at least 5 expected; beyond ±6 at the edge"
    )
    axes.legend(loc="upper left", frameon=False)
    return figure


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure in the report's style, outside pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=9, color=INK, labelcolor=INK)
    axes.xaxis.label.set_size(9.5)
    axes.yaxis.label.set_size(9.5)
    return figure, axes


def _root(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(values, 0))


def _points(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Relative risk and −log10 p of the rows that show both, inside the drawn range."""
    rr = np.asarray(table.column("rr"), dtype=float)
    strength = -np.asarray(table.column("log10_p"), dtype=float)
    shown = np.isfinite(rr) & np.isfinite(strength) & (rr > 0)
    return np.clip(rr[shown], 0.05, 60), np.clip(strength[shown], 0, 1000)


def _names(table: pa.Table) -> list[tuple[str, str]]:
    a, b = (table.column(name).to_pylist() for name in ("code_a", "code_b"))
    return list(zip(a, b, strict=True))


def _texts(table: pa.Table) -> dict[str, str]:
    """Names of the codes that occur."""
    found: dict[str, str] = {}
    for side in ("a", "b"):
        codes, texts = (table.column(f"{what}_{side}").to_pylist() for what in ("code", "text"))
        found |= {code: text for code, text in zip(codes, texts, strict=True) if text}
    return found


def _short(text: str, length: int) -> str:
    """A text cut at a word, the code system left out."""
    text = text.split("//")[-1] if "//" in text else text
    return textwrap.shorten(text, length, placeholder=" …") if " " in text else text[:length]


def _label(axes: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Name points beside them, moved up or down until no two names lie on each other."""
    figure = axes.figure
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    figure.draw_without_rendering()
    taken: list[Any] = []
    middle = np.median(np.log(x)) if len(x) else 0
    for px, py, name in sorted(zip(x, y, names, strict=False), key=lambda point: -point[1]):
        right = np.log(px) <= middle + 0.6
        best = None
        for shift in (0, 9, -9, 18, -18, 27, -27, 36, -36):
            note = axes.annotate(
                name, (px, py), (7 if right else -7, shift), textcoords="offset points", fontsize=7.5, color=INK,
                ha="left" if right else "right", va="center",
                arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5} if shift else None,
            )  # fmt: skip
            box = note.get_window_extent(renderer)
            if not any(box.overlaps(other) for other in taken) and box.x1 < figure.bbox.x1 and box.x0 > 0:
                best = box
                break
            note.remove()
        if best is not None:
            taken.append(best)


def _places(graph: Any) -> dict[str, np.ndarray]:
    """Places of the nodes: each component laid out by itself, packed in rows by size."""
    import networkx as nx

    parts = sorted(nx.weakly_connected_components(graph), key=lambda part: (-len(part), min(part)))
    places: dict[str, np.ndarray] = {}
    x = y = row_height = 0.0
    limit = 1.35 * np.sqrt(sum(max(len(part), 2) * 2.2 for part in parts))
    for part in parts:
        side = np.sqrt(max(len(part), 2) * 2.2)
        if x and x + side > limit:
            x, y, row_height = 0.0, y - row_height, 0.0
        shape = nx.kamada_kawai_layout(graph.subgraph(sorted(part)).to_undirected(), weight=None)
        for node, place in shape.items():
            places[node] = np.array([x, y]) + (np.asarray(place) * 0.42 + 0.5) * side * np.array([1, -1])
        x, row_height = x + side, max(row_height, side)
    return places


def _spread_labels(axes: Axes, places: Mapping[str, np.ndarray], labels: Mapping[str, str]) -> None:
    """Write each node's name beside it, on the side where it covers least."""
    figure = axes.figure
    axes.margins(0.12)
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    points = {node: axes.transData.transform(place) for node, place in places.items()}
    taken: list[Any] = []
    offsets = ((0, 10, "center", "bottom"), (0, -10, "center", "top"), (10, 0, "left", "center"),
               (-10, 0, "right", "center"), (8, 8, "left", "bottom"), (-8, 8, "right", "bottom"),
               (8, -8, "left", "top"), (-8, -8, "right", "top"))  # fmt: skip
    for node in sorted(places, key=lambda name: -points[name][1]):
        tried = []
        for dx, dy, ha, va in offsets:
            note = axes.annotate(labels[node], places[node], (dx, dy), textcoords="offset points", fontsize=7.5,
                                 color=INK, ha=ha, va=va, linespacing=0.95)  # fmt: skip
            box = note.get_window_extent(renderer)
            covered = sum(4 for other in taken if box.overlaps(other))
            covered += sum(1 for point in points.values() if box.contains(*point))
            covered += 3 * (box.x0 < 0 or box.x1 > figure.bbox.x1)
            tried.append((covered, len(tried), note, box))
            if covered == 0:
                break
        tried.sort(key=lambda one: one[:2])
        for _, _, note, _ in tried[1:]:
            note.remove()
        taken.append(tried[0][3])
