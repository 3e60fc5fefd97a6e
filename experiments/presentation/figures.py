"""Three pictures of a run: effect against evidence, what follows what, and whether the comparison was fair."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.presentation.network import chart
from experiments.presentation.plot_style import BLUE, GREY, INK, PAPER, RUST, canvas, short
from experiments.products.base import Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 200
LABELLED = 8
"""Significant pairs named in the volcano plot."""

Floats = NDArray[np.float64]


def draw(checked: pa.Table, significant: pa.Table, z: Floats, null: Calibration | None) -> dict[str, bytes]:
    """All pictures as PNG by file name; without that of z where nothing says how z is distributed.

    ``checked`` and ``significant`` are checked tables; ``z`` [test] holds z of every tested pair with E ≥ 5,
    of which only the numbers of pairs in a bin are drawn.
    """
    pictures = {"volcano.png": png(volcano(checked, significant)), "network.png": png(chart(significant))}
    if null is not None:
        pictures["calibration.png"] = png(calibration(z, null))
    return pictures


def png(figure: Figure) -> bytes:
    """A figure as PNG, without the tool it was made with; pixels hold no numbers that could be read back."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, facecolor=PAPER, metadata={"Software": None})
    return buffer.getvalue()


def volcano(checked: pa.Table, significant: pa.Table) -> Figure:
    """Relative risk against −log10 p of every shown pair; significant ones stand out, the strongest are named."""
    figure, axes = canvas(8.4, 5.2)
    rr, strength = _thinned(*_points(checked)[:2])
    axes.scatter(
        rr, strength, s=6, color=GREY, linewidths=0, alpha=0.55, rasterized=True, label="not significant"
    )
    found_rr, found_strength, shown = _points(significant)
    kinds = ((True, "^", RUST, "significant, more often"), (False, "v", BLUE, "significant, less often"))
    for harmful, marker, colour, label in kinds:
        chosen = (found_rr > 1) == harmful
        axes.scatter(
            found_rr[chosen], found_strength[chosen], s=22, marker=marker, color=colour, label=label,
            edgecolors=PAPER, linewidths=0.4, zorder=3,
        )  # fmt: skip
    axes.axvline(1, color=INK, linewidth=0.6)
    _scales(axes, np.concatenate([rr, found_rr]), np.concatenate([strength, found_strength]))
    axes.set_xlabel("Relative risk (1: as often as in comparable persons)")
    axes.set_ylabel("Strength of evidence, −log₁₀ p")
    figure.legend(loc="outside upper left", ncols=3, frameon=False, handletextpad=0.1, fontsize=9)
    names = [
        f"{short(text_a or code_a, 24)} → {short(text_b or code_b, 24)}"
        for code_a, text_a, code_b, text_b in zip(
            *(significant.column(name).to_pylist() for name in ("code_a", "text_a", "code_b", "text_b")),
            strict=True,
        )
    ]
    names = [name for name, visible in zip(names, shown, strict=True) if visible]
    _name_points(axes, found_rr, found_strength, names)
    return figure


def calibration(z: Floats, null: Calibration) -> Figure:
    """Histogram of z with the curve it should follow and the one its middle does.

    ``z`` [test], those that are not finite left out.
    """
    figure, axes = canvas(8.4, 3.9)
    edges = np.linspace(-6, 6, 61)
    counts, _ = np.histogram(np.clip(z[np.isfinite(z)], -6, 6), edges)
    width = edges[1] - edges[0]
    density = counts / max(counts.sum(), 1) / width
    axes.bar(edges[:-1], density, width, align="edge", color="#d9d9d9", edgecolor=PAPER, linewidth=0.3)
    grid = np.linspace(-6, 6, 400)
    curves = (
        (0.0, 1.0, INK, (0, (4, 2)), "where the bars should be (standard deviation 1)"),
        (
            null.mean,
            null.sd,
            RUST,
            "-",
            f"where the middle of the bars is (standard deviation {null.sd:.2f})",
        ),
    )
    for mean, sd, colour, style, label in curves:
        height = np.exp(-0.5 * ((grid - mean) / sd) ** 2) / sd / np.sqrt(2 * np.pi)
        axes.plot(grid, height, linestyle=style, color=colour, linewidth=1.5, label=label)
    axes.set_xlim(-6, 6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(
        "z = (observed − expected) / √variance; pairs with 5 or more expected; beyond ±6 at the edge"
    )
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=9)
    return figure


def _scales(axes: Axes, rr: Floats, strength: Floats) -> None:
    """Axes that hold every point: ratios on a log scale, evidence compressed towards the top."""
    low, high = (float(rr.min()), float(rr.max())) if len(rr) else (1.0, 1.0)
    low, high = min(low / 1.2, 0.6), max(high * 1.6, 1.8)
    axes.set_xscale("log")
    ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low <= tick <= high]
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    top = max(float(strength.max(initial=0)), 4) * 1.12
    axes.set_yscale("function", functions=(_root, np.square))
    axes.set_ylim(0, top)
    axes.set_yticks([tick for tick in (0, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if tick <= top])


def _root(values: Floats) -> Floats:
    root: Floats = np.sqrt(np.maximum(values, 0))
    return root


def _points(table: pa.Table) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Relative risk (O/E of pairs that were not significant), −log10 p, and which rows show both; within the plot."""
    rr = np.asarray(table.column("rr"), dtype=float)
    observed, expected = (np.asarray(table.column(name), dtype=float) for name in ("O", "E"))
    rough = np.divide(observed, expected, out=np.full_like(observed, np.nan), where=expected > 0)
    rr = np.where(np.isfinite(rr), rr, rough)
    strength = -np.asarray(table.column("log10_p"), dtype=float)
    shown = np.isfinite(rr) & np.isfinite(strength) & (rr > 0)
    return np.clip(rr[shown], 0.05, 60), np.clip(strength[shown], 0, 1000), shown


def _thinned(rr: Floats, strength: Floats) -> tuple[Floats, Floats]:
    """One point for each spot of a fine grid: two million points look the same and draw in a moment."""
    grid = np.column_stack([np.round(np.log(rr) * 150), np.round(_root(strength) * 60)])
    _, first = np.unique(grid, axis=0, return_index=True)
    return rr[first], strength[first]


def _name_points(axes: Axes, rr: Floats, strength: Floats, names: Sequence[str]) -> None:
    """Name the first points, each where its name covers neither another name nor a significant point."""
    figure: Any = axes.figure
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    points = [axes.transData.transform(point) for point in zip(rr, strength, strict=True)]
    taken: list[Any] = []
    chosen = sorted(range(min(LABELLED, len(names))), key=lambda one: -strength[one])
    for one in chosen:
        for side in ("right", "left"):
            for shift in (0, 10, -10, 20, -20, 30, -30):
                note = axes.annotate(
                    names[one], (rr[one], strength[one]), (8 if side == "right" else -8, shift), fontsize=7.5,
                    textcoords="offset points", ha="left" if side == "right" else "right", va="center", color=INK,
                    arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5} if shift else None,
                    bbox={"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.8},
                )  # fmt: skip
                box = note.get_window_extent(renderer)
                free = not any(box.overlaps(other) for other in taken)
                free &= not any(box.contains(*point) for point in points)
                if free and box.x0 > axes.bbox.x0 and box.x1 < figure.bbox.x1 and box.y1 < axes.bbox.y1:
                    taken.append(box)
                    break
                note.remove()
            else:
                continue
            break
