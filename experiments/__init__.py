"""Mining and evidence: from a study's timelines to checked, recorded findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.run.notebook import open_study

__all__ = ["open_study"]


def __getattr__(name: str) -> Any:
    """Load ``open_study`` when it is asked for: importing the package must cost nothing."""
    if name == "open_study":
        from experiments.run.notebook import open_study

        return open_study
    raise AttributeError(f"module 'experiments' has no attribute '{name}'")
