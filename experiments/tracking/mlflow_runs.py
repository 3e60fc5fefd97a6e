"""An MLflow run around a block of work: begun, failed with a reason, swept when its process died."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from experiments.tracking.code_version import code_version
from experiments.tracking.process_end import alive, reason_of, terminable
from experiments.tracking.run_folders import run_folder
from experiments.tracking.run_record import RunRecord
from lakehouse.governance.suppression.disclosure import Thresholds

if TYPE_CHECKING:
    from lakehouse.settings import Settings


@contextmanager
def run(
    settings: Settings, *, study: str, job: str, use_case: str, question: str, facts: Mapping[str, object]
) -> Iterator[RunRecord]:
    """An MLflow run around a block; a block that raises, is interrupted or is terminated leaves a failed run.

    ``facts`` become tags from the start: permit_id, permit_hash, purpose, seed, kind, …. The reason of a
    failure is told by class and place alone unless it is a refusal of our own, whose words never hold a
    value.
    """
    import mlflow

    experiment = prepare(settings, f"{use_case}/{study}")
    sweep(experiment)
    name = f"{job}-{study}-{time.strftime('%Y%m%d-%H%M%S')}"
    with terminable(), mlflow.start_run(experiment_id=experiment, run_name=name) as active:
        run_id = str(active.info.run_id)
        record = RunRecord(
            settings,
            run_id,
            study,
            job,
            question,
            Thresholds(settings.small_cell),
            run_folder(settings, study, run_id),
        )
        about = {"study_id": study, "job_name": job, "use_case": use_case, "code_version": code_version()}
        process = {"process_id": os.getpid(), "process_host": platform.node()}
        record.tag(**about, **process, scope_state="open", release_state="inside the study", **facts)
        record.answer(question)
        try:
            yield record
        except BaseException as error:
            fail(record, error)
            raise


def prepare(settings: Settings, experiment: str) -> str:
    """Point MLflow at the settings' store and return the id of an experiment, made when missing.

    MLflow writes the store into the environment, where the next home's settings would find it: it is taken out.
    """
    import mlflow

    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(settings.tracking_uri)
    mlflow.set_registry_uri(settings.tracking_uri)
    if before is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    local = settings.tracking_uri.startswith("sqlite")
    if local:
        settings.artifacts.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (found := mlflow.get_experiment_by_name(experiment)) is not None:
        return str(found.experiment_id)
    place = (settings.artifacts / experiment.replace("/", "_")).as_uri() if local else None
    about = "One run a job or notebook. Start with report.html and scope.json under a run's artifacts."
    tags = {"mlflow.experimentKind": "custom_model_development", "mlflow.note.content": about}
    return str(mlflow.create_experiment(experiment, artifact_location=place, tags=tags))


def fail(record: RunRecord, error: BaseException) -> None:
    """Mark a run as failed with a reason that holds no value of anybody; details stay in the study.

    Where its receipt cannot be written either, the intent in the ledger stays without an answer and is found there.
    """
    reason = reason_of(error)
    details = record.folder / "failure.txt"
    details.write_text("".join(traceback.format_exception(error)), "utf-8")
    details.chmod(0o600)
    record.tag(failure_reason=reason, release_state="withheld")
    if "receipt.hash" not in record.facts:
        with contextlib.suppress(Exception):
            record.issue_receipt("failed", failed=type(error).__name__)
    record.answer(f"{record.question}\n\n**Failed.** {reason}\n\nDetails: {details}")


def sweep(experiment: str) -> int:
    """Mark runs whose process on this machine is gone as failed; how many there were."""
    import mlflow

    client = mlflow.MlflowClient()
    mine = f"attributes.status = 'RUNNING' and tags.`process.host` = '{platform.node()}'"
    swept = 0
    for found in client.search_runs([experiment], mine):
        if alive(int(found.data.tags.get("process.id", "0"))):
            continue
        client.set_tag(
            found.info.run_id, "failure.reason", "Its process ended without a word (killed or crashed)."
        )
        client.set_tag(found.info.run_id, "release.state", "withheld")
        client.set_terminated(found.info.run_id, "FAILED")
        swept += 1
    return swept
