"""How every picture looks: colours that survive greyscale print, an empty canvas, names cut to fit."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, PAPER, GREY, BLUE, RUST = "#1a1a1a", "#ffffff", "#b9b9b9", "#1f4e79", "#b3541e"
"""Blue and rust differ in lightness; wherever they distinguish things, the shape does too."""


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure (inches) outside any global state, so that runs in one process do not mix."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=9, color=INK, labelcolor=INK)
    axes.xaxis.label.set_fontsize(9.5)
    axes.yaxis.label.set_fontsize(9.5)
    return figure, axes


def short(text: str, length: int) -> str:
    """A name cut at a word; a bare code loses its system."""
    text = text.split("//", 1)[-1]
    if len(text) <= length or " " not in text:
        return text[:length]
    return textwrap.shorten(text, length - 1, placeholder="").rstrip(" ,;(") + "…"
