"""Where MLflow and the ledger disagree about the same runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.tracking.run_record import ACCOUNTED
from experiments.tracking.store import client_of
from experiments.tracking.tags import tag_of
from lakehouse.governance.ledger import ledger

if TYPE_CHECKING:
    from lakehouse.settings import Settings


def audit(settings: Settings) -> list[str]:
    """Where MLflow disagrees with the ledger: runs and tags that are gone or changed, models without a receipt.

    Tags are a copy for people; the ledger is the truth, so what was deleted in MLflow is still known.
    """
    from mlflow.exceptions import MlflowException

    client, told = client_of(settings), []
    bodies = [entry["body"] for entry in ledger.entries(settings) if entry["kind"] == "receipt"]
    known = {str(body["receipt"]): body for body in bodies if body.get("receipt")}
    for digest, body in known.items():
        try:
            found = client.get_run(str(body["run"]))
        except MlflowException:
            told.append(f"run {body['run']} is gone from MLflow; the ledger has its receipt")
            continue
        if found.info.lifecycle_stage != "active":
            told.append(f"run {body['run']} was deleted in MLflow; the ledger has its receipt")
        if tag_of(found.data.tags, "receipt_hash") != digest:
            told.append(f"run {body['run']}: its receipt tag was changed in MLflow")
        if body.get("state") and tag_of(found.data.tags, "scope_state") != body["state"]:
            told.append(f"run {body['run']}: its scope state was changed in MLflow")
    for version in client.search_model_versions(""):
        body = known.get(tag_of(version.tags, "receipt_hash"), {})
        if body.get("state") != ACCOUNTED:
            told.append(f"model {version.name} version {version.version} has no valid receipt")
    return told
