"""Which events follow which: all ordered pairs of codes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.analyses.pairs.study import READS, reads_of, scan_pairs

__all__ = ["READS", "reads_of", "scan_pairs"]


def __getattr__(name: str) -> Any:
    """Load what a job needs when it is asked for: looking through the kinds of patterns must cost nothing."""
    if name in __all__:
        from experiments.analyses.pairs import study

        return getattr(study, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
