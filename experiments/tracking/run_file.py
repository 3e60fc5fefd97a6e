"""What MLflow was told of a run, kept beside its results: ``run.json``, so that runs are listed without MLflow or Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakehouse.private_files import write_private

NAME = "run.json"


def keep(folder: Path, record: Mapping[str, object]) -> None:
    """Write the file whole or not at all, readable by the run's own account alone."""
    write_private(folder / NAME, json.dumps(record, indent=2, ensure_ascii=False).encode())


def kept(folder: Path) -> dict[str, Any]:
    """What was written of a run: tags and metrics by name, the question, when it started.

    Of a run of version 0.1.0, which left no such file, the same is taken from its receipt and its scope record; empty
    where a run left neither.
    """
    if (folder / NAME).is_file():
        return dict(json.loads((folder / NAME).read_text("utf-8")))
    told: dict[str, Any] = {}
    for name in ("scope.json", "receipt.json"):
        path = folder / name
        told |= json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if not told:
        return {}
    tags = {
        "study_id": folder.parent.name,
        "job_name": str(told.get("job", "")),
        "permit_id": str(told.get("permit", {}).get("id", "")),
        "scope_state": str(told.get("state", "open")),
        "release_state": str(told.get("verdict", "inside the study")),
    }
    return {
        "run": folder.name, "study": folder.parent.name, "job": tags["job_name"], "tags": tags, "metrics": {},
        "question": str(told.get("question", "")), "started": str(told.get("started", "")),
    }  # fmt: skip
