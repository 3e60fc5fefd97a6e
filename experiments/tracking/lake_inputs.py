"""The tables a run read, as MLflow lists a run's inputs: name, version and columns; no rows, no counts, no profile."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from experiments.tracking.lake_source import LakeTableSource
from lakehouse.data_model import GOLD

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

HOW = ("direct", "filter", "join")


def inputs(reads: Iterable[Mapping[str, Any]]) -> list[DatasetInput]:
    """One input a read of a scope record, with tags that say how its columns were used."""
    from mlflow.entities import DatasetInput, InputTag

    found = []
    for read in reads:
        used = {how: list(read.get(f"columns_{how}", ())) for how in HOW}
        columns = sorted({name for names in used.values() for name in names})
        tags = [InputTag(f"columns.{how}", ", ".join(names)[:480]) for how, names in used.items() if names]
        source = LakeTableSource(str(read["table"]), int(read["version"]), columns)
        found.append(DatasetInput(_dataset(source), [*tags, InputTag("mlflow.data.context", "mining")]))
    return found


def log_inputs(client: MlflowClient, run_id: str, reads: Iterable[Mapping[str, Any]]) -> None:
    """Log the reads of a scope record as inputs of a run.

    Two runs of an experiment that list the same table for the first time at the same moment collide in MLflow's store,
    which then takes nothing of the later one: that one is written again. Raises what MLflow raised at the third time.
    """
    from mlflow.exceptions import MlflowException

    listed = inputs(reads)
    for again in (True, True, False):
        try:
            client.log_inputs(run_id, listed)
            return
        except MlflowException:
            if not again:
                raise
            time.sleep(0.2)


def _dataset(source: LakeTableSource) -> Any:
    """A table as MLflow stores it, with the columns and their types as schema."""
    from mlflow.entities import Dataset

    table = GOLD.get(source.table)
    types = {column.name: column.type for column in table.columns} if table else {}
    columns = [{"name": name, "type": types.get(name, "?")} for name in source.columns]
    digest = hashlib.sha256(json.dumps(source.to_dict(), sort_keys=True).encode()).hexdigest()[:16]
    return Dataset(
        name=f"{source.table}@{source.version}",
        digest=digest,
        source_type=source._get_source_type(),
        source=source.to_json(),
        schema=json.dumps({"mlflow_colspec": columns}),
    )
