"""The tracking store of a home: one client bound to it, its experiments, and what MLflow notes of where a run began."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lakehouse.settings import Settings

ABOUT = "One run a job or notebook. Start with report.html and scope.json under a run's artifacts."


def is_local(settings: Settings) -> bool:
    """Whether the store is a file of this home and not a server."""
    return settings.tracking_uri.startswith("sqlite")


def client_of(settings: Settings) -> MlflowClient:
    """A client of the settings' store and registry; it depends on nothing that is set for the whole process."""
    import mlflow

    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if is_local(settings):
        settings.artifacts.mkdir(parents=True, exist_ok=True, mode=0o700)
    return mlflow.MlflowClient(tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri)


def experiment_of(settings: Settings, client: MlflowClient, name: str) -> str:
    """Id of an experiment, made when it is missing, also when another run makes it at the same moment."""
    from mlflow.exceptions import MlflowException

    place = (settings.artifacts / name.replace("/", "_")).as_uri() if is_local(settings) else None
    tags = {"mlflow.experimentKind": "custom_model_development", "mlflow.note.content": ABOUT}
    if (found := client.get_experiment_by_name(name)) is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name, artifact_location=place, tags=tags))
    except MlflowException:
        if (found := client.get_experiment_by_name(name)) is None:
            raise
        return str(found.experiment_id)


def origin() -> dict[str, str]:
    """Tags that MLflow itself gives a run: the account, the file that was started, its commit."""
    from mlflow.tracking.context import registry

    return {name: str(value) for name, value in registry.resolve_tags().items()}


@contextmanager
def begun(client: MlflowClient, experiment: str, name: str) -> Iterator[str]:
    """The id of a new run that ends with the block: finished, or failed when the block raises."""
    run_id = str(client.create_run(experiment, run_name=name, tags=origin()).info.run_id)
    try:
        yield run_id
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


@contextmanager
def begun_active(settings: Settings, experiment: str, name: str) -> Iterator[str]:
    """The same, with the run as MLflow's active one, so that a notebook's own ``mlflow.log_metric`` lands on it.

    MLflow writes the store into the environment, where the next home's settings would find it: it is taken out.
    """
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(settings.tracking_uri)
    mlflow.set_registry_uri(settings.tracking_uri)
    if before is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    with mlflow.start_run(experiment_id=experiment, run_name=name) as active:
        yield str(active.info.run_id)


def registered(client: MlflowClient, name: str, about: str) -> None:
    """Make a registered model when it is missing, also when another run makes it at the same moment."""
    from mlflow.exceptions import MlflowException

    with contextlib.suppress(MlflowException):
        client.get_registered_model(name)
        return
    try:
        client.create_registered_model(name, description=about)
    except MlflowException:
        client.get_registered_model(name)
