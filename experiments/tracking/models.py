"""A run's model in MLflow: a file of code that stands alone and the table it answers from, bound to the run by its id."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.governance.ledger import receipts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

    from experiments.products.base import ModelSpec


@dataclass(frozen=True)
class ModelFiles:
    """What a model is made of: the file of code, the file of data, and a made-up input by column."""

    code: Path
    data: Path
    example: Mapping[str, list[Any]]

    def hashes(self) -> dict[str, str]:
        """SHA-256 of both files by their name in the run's receipt."""
        found = receipts.hashes([self.code, self.data], self.data.parent)
        return {f"model/{file}": digest for file, digest in found.items()}


def code_file(module: str, folder: Path) -> Path:
    """A module of this package as a file that stands alone, named for its analysis; also from inside a zip."""
    from importlib.resources import files

    code = folder / "_".join(Path(module).parts[-2:])
    code.write_text(files("experiments").joinpath(module).read_text("utf-8"), "utf-8")
    return code


def log_model(
    client: MlflowClient,
    run_id: str,
    spec: ModelSpec,
    files: ModelFiles,
    facts: Mapping[str, str],
    metrics: Mapping[str, float],
) -> LoggedModel:
    """Store a model as an output of one run; ``mlflow.pyfunc.log_model`` would take the active run and store instead.

    ``facts`` become the model's metadata; ``metrics`` are those of the run, by which models are compared.
    """
    import mlflow
    import pandas as pd
    from mlflow.entities import LoggedModelOutput, Metric
    from mlflow.models import Model

    from experiments.tracking.store import origin

    run = client.get_run(run_id)
    made = client.create_logged_model(
        run.info.experiment_id, spec.name, run_id, tags=origin(), params=dict(run.data.params)
    )
    try:
        client.log_outputs(run_id, [LoggedModelOutput(made.model_id, step=0)])
        now = int(time.time() * 1000)
        told = [
            Metric(name, value, now, 0, model_id=made.model_id, run_id=run_id)
            for name, value in metrics.items()
        ]
        client.log_batch(run_id, metrics=told)
        with tempfile.TemporaryDirectory() as folder:
            mlflow.pyfunc.save_model(
                path=f"{folder}/model",
                loader_module=files.code.stem,
                data_path=str(files.data),
                code_paths=[str(files.code)],
                mlflow_model=Model(made.artifact_location, run_id, model_uuid=made.model_id, model_id=made.model_id),
                signature=_signature(spec),
                input_example=pd.DataFrame(dict(files.example)),
                pip_requirements=[f"{package}=={_version(package)}" for package in ("pandas", "pyarrow")],
                metadata=dict(facts),
            )  # fmt: skip
            client.log_model_artifacts(made.model_id, f"{folder}/model")
    except BaseException:
        client.finalize_logged_model(made.model_id, "FAILED")
        raise
    return client.finalize_logged_model(made.model_id, "READY")


def _signature(spec: ModelSpec) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inside, outside = (
        Schema([ColSpec(kind, name) for name, kind in columns.items()])
        for columns in (spec.inputs, spec.outputs)
    )
    return ModelSignature(inside, outside)


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
