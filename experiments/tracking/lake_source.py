"""Where a dataset of the lake lies, as a tracking store keeps it: table, version and columns; never a value.

A source of MLflow's without importing MLflow: it is loaded while MLflow itself is still loading, as the entry
point ``mlflow.dataset_source``, and MLflow asks of a source only what it calls.
"""

from __future__ import annotations

import json
from typing import Any

from lakehouse.errors import PermissionRefused


class LakeTableSource:
    """One table as a run read it; ``columns`` names what was used of it."""

    def __init__(self, table: str, version: int, columns: list[str]) -> None:
        self.table, self.version, self.columns = table, version, columns

    @staticmethod
    def _get_source_type() -> str:
        return "patternlake"

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return False

    def load(self) -> Any:
        """Refused: data is read through a study alone.

        Raises :class:`PermissionRefused`, always.
        """
        raise PermissionRefused(
            f"{self.table} cannot be loaded from a run's record.",
            "Reads are allowed and recorded by a study's permit.",
            "Use 'with open_study(ID) as study: study.table(...)'.",
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"table": self.table, "version": self.version, "columns": self.columns}

    def to_json(self) -> str:
        """As stored."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> LakeTableSource:
        """From :meth:`to_dict`."""
        return cls(str(source_dict["table"]), int(source_dict["version"]), list(source_dict["columns"]))

    @classmethod
    def from_json(cls, source_json: str) -> LakeTableSource:
        """From :meth:`to_json`."""
        return cls.from_dict(json.loads(source_json))
