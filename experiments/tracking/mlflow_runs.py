"""An MLflow run around a block of work: begun, failed with a reason, swept when its process died."""

from __future__ import annotations

import contextlib
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
from experiments.tracking.store import begun, begun_active, client_of, experiment_of
from experiments.tracking.tags import searches, tag_of
from lakehouse.governance.suppression.disclosure import Thresholds

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lakehouse.settings import Settings


@contextmanager
def run(
    settings: Settings,
    *,
    study: str,
    job: str,
    use_case: str,
    question: str,
    facts: Mapping[str, object],
    active: bool = False,
) -> Iterator[RunRecord]:
    """An MLflow run around a block; a block that raises, is interrupted or is terminated leaves a failed run.

    ``facts`` become tags from the start: permit_id, permit_hash, purpose, seed, kind, …. With ``active`` the run is
    MLflow's active one inside the block, for a notebook's own ``mlflow.log_metric``. The reason of a failure is told
    by class and place alone unless it is a refusal of our own, whose words never hold a value.
    """
    client = client_of(settings)
    experiment = experiment_of(settings, client, f"{use_case}/{study}")
    sweep(client, experiment)
    name = f"{job}-{study}-{time.strftime('%Y%m%d-%H%M%S')}"
    beginning = begun_active(settings, experiment, name) if active else begun(client, experiment, name)
    with terminable(), beginning as run_id:
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
        record.tag(
            **about,
            **process,
            question=question,
            scope_state="open",
            release_state="inside the study",
            **facts,
        )
        record.describe(question)
        try:
            yield record
        except BaseException as error:
            fail(record, error)
            raise


def fail(record: RunRecord, error: BaseException) -> None:
    """Mark a run as failed with a reason that holds no value of anybody; details stay in the study.

    Where its receipt cannot be written either, the intent in the ledger stays without an answer and is found there.
    Text among its parameters is not checked by anybody, so MLflow gets numbers and switches alone.
    """
    reason = reason_of(error)
    details = record.folder / "failure.txt"
    details.write_text("".join(traceback.format_exception(error)), "utf-8")
    details.chmod(0o600)
    record.tag(failure_reason=reason, release_state="withheld")
    record.plain_params()
    if "receipt_hash" not in record.facts:
        with contextlib.suppress(Exception):
            record.issue_receipt("failed", failed=type(error).__name__)
    record.describe(f"{record.question}\n\n**Failed.** {reason}\n\nDetails: {details}")


def sweep(client: MlflowClient, experiment: str) -> int:
    """Mark runs of an experiment whose process on this machine is gone as failed; how many there were."""
    swept = 0
    for mine in searches("process_host", platform.node()):
        for found in client.search_runs([experiment], f"attributes.status = 'RUNNING' and {mine}"):
            if alive(int(tag_of(found.data.tags, "process_id", "0"))):
                continue
            reason = "Its process ended without a word (killed or crashed)."
            client.set_tag(found.info.run_id, "failure_reason", reason)
            client.set_tag(found.info.run_id, "release_state", "withheld")
            client.set_terminated(found.info.run_id, "FAILED")
            swept += 1
    return swept
