"""A home's tracking store as a person looks into it, with MLflow's own functions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakehouse.settings import Settings


def look_into(settings: Settings) -> None:
    """Point MLflow's functions at a home; the platform itself does not depend on where they point."""
    import mlflow

    mlflow.set_tracking_uri(settings.tracking_uri)
    mlflow.set_registry_uri(settings.tracking_uri)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
