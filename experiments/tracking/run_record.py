"""The record of one run in MLflow: tags, parameters, metrics, inputs, scope, results, model, all by the run's own id."""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.tracking.code_version import code_version, environment_hash
from experiments.tracking.lake_inputs import log_inputs
from experiments.tracking.metrics import may_be_logged
from experiments.tracking.models import ModelFiles, code_file, log_model
from experiments.tracking.parameters import as_toml
from experiments.tracking.run_file import keep
from experiments.tracking.store import client_of, is_local, registered
from experiments.tracking.tags import ON_MODELS
from lakehouse.governance.ledger import ledger, receipts
from lakehouse.governance.suppression.disclosure import Thresholds
from lakehouse.governance.suppression.totals import clean_scope

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

    from experiments.products.base import ProductModel
    from lakehouse.governance.permits.model import Permit
    from lakehouse.settings import Settings
    from lakehouse.study.session import Study

ACCOUNTED = "accounted"
TAG_LENGTH = 5_000
"""Longest tag or parameter written, in characters; MLflow refuses tags above 8,000 and parameters above 6,000."""


@dataclass
class RunRecord:
    """One run while it is going on: what the job or notebook hands in becomes its record.

    Everything is written through one client and the run's id, never to "the active run", so that runs open at the
    same time do not mix. ``folder`` is the run's place inside the study (raw results, exact scope); MLflow gets
    checked results only. ``made`` is what the receipt says of the run itself: parameters, seed, hash of the result.
    ``facts`` are the tags written so far, ``measured`` the metrics, ``given`` the parameters.
    """

    settings: Settings
    run_id: str
    study: str
    job: str
    question: str
    thresholds: Thresholds
    folder: Path
    state: str = "unaccounted"
    scope_digest: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    scope: dict[str, Any] = field(default_factory=dict)
    artefacts: dict[str, str] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    beside: tuple[int, ...] = ()
    pending: tuple[str, LoggedModel, str] | None = None
    measured: dict[str, float] = field(default_factory=dict)
    given: dict[str, object] = field(default_factory=dict)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @cached_property
    def client(self) -> MlflowClient:
        """The one way to the run in MLflow."""
        return client_of(self.settings)

    def tag(self, **facts: object) -> None:
        """Tags of one fact each, named as they are written here: ``scope_state``, ``use_case``, ``permit_id``."""
        from mlflow.entities import RunTag

        told = {name: str(value)[:TAG_LENGTH] for name, value in facts.items()}
        self.facts |= told
        self.client.log_batch(self.run_id, tags=[RunTag(name, value) for name, value in told.items()])
        self._keep()

    def _keep(self) -> None:
        """The same beside the results, so that runs are found without MLflow."""
        about = {"run": self.run_id, "study": self.study, "job": self.job, "question": self.question}
        told = {"started": self.started, "tags": self.facts, "metrics": self.measured}
        keep(self.folder, {**about, **told})

    def bind(self, study: Study) -> None:
        """Take over the permit: tags, and its small-cell rule where that is the stricter one."""
        self.bind_permit(study.permit, study.seed)

    def bind_permit(self, permit: Permit, seed: int) -> None:
        """The same from the permit itself."""
        self.thresholds = self.thresholds.raised(permit.min_cell)
        self.tag(
            permit_id=permit.permit_id, permit_hash=permit.hash, purpose=permit.purpose, seed=seed,
            small_cell=self.thresholds.persons,
        )  # fmt: skip

    def describe(self, text: str) -> None:
        """The paragraph at the head of the run's page."""
        self.client.set_tag(self.run_id, "mlflow.note.content", text[:TAG_LENGTH])

    def metrics(self, values: Mapping[str, float]) -> None:
        """Numbers to compare runs by: :func:`~experiments.tracking.metrics.shared_metrics`, and those of a kind.

        A value that is no number is left out, and so is ``persons`` of 1 to k−1; other counts of persons below k
        must not be among them.
        """
        from mlflow.entities import Metric

        told, now = may_be_logged(values, self.thresholds), int(time.time() * 1000)
        self.measured |= told
        self.client.log_batch(
            self.run_id, metrics=[Metric(name, value, now, 0) for name, value in told.items()]
        )
        self._keep()

    def params(self, values: Mapping[str, object]) -> None:
        """All parameters of the job (``made["params"]``) and ``values``, also as ``params.toml``.

        Of a name that both have, the job's own value counts; MLflow lets no parameter change once it is written.
        """
        self._give({**values, **self.made.get("params", {})})

    def plain_params(self) -> None:
        """The job's numbers and switches, for a run that failed before anybody checked the words among its parameters."""
        given = self.made.get("params", {})
        self._give({name: value for name, value in given.items() if isinstance(value, (bool, int, float))})

    def _give(self, whole: Mapping[str, object]) -> None:
        from mlflow.entities import Param

        new = {name: value for name, value in whole.items() if name not in self.given}
        if new:
            self.given |= new
            told = [Param(name, str(value)[:TAG_LENGTH]) for name, value in new.items()]
            self.client.log_batch(self.run_id, params=told)
            self.client.log_text(self.run_id, as_toml(self.given), "params.toml")

    def store_scope(self, scope: Mapping[str, Any], beside: Iterable[int] = ()) -> None:
        """The scope: exact in the study's folder, as it may be shown in MLflow, as tags and inputs.

        ``beside`` holds other totals of persons that the run will show.
        """
        self.scope, self.beside = dict(scope), tuple(beside)
        (self.folder / "scope.json").write_text(json.dumps(scope, indent=2, ensure_ascii=False), "utf-8")
        shown = clean_scope(scope, self.thresholds, beside)
        self.client.log_dict(self.run_id, shown, "scope.json")
        self.state = str(scope.get("state", "unaccounted"))
        self.scope_digest = str(scope.get("digest", ""))
        self.tag(scope_state=self.state, scope_digest=self.scope_digest)
        reads = list(scope.get("reads", ()))
        self.tag(data_versions=" ".join(sorted({f"{read['table']}@{read['version']}" for read in reads})))
        if reads:
            log_inputs(self.client, self.run_id, reads)

    def withhold(self) -> None:
        """Say that nothing leaves this run, and why."""
        self.tag(release_state="withheld")
        self.describe(
            f"{self.question}\n\n**Withheld.** What this run read could not be accounted for (scope: "
            f"{self.state}), "
            "so its results are not shown. See scope.json, correct the job, and run it again."
        )

    def publish(self, files: Path) -> None:
        """Every file of a folder that holds checked results alone."""
        self.artefacts |= receipts.hashes((path for path in files.rglob("*") if path.is_file()), files)
        self.client.log_artifacts(self.run_id, str(files))

    def model(self, made: ProductModel) -> None:
        """Log the checked, significant rows of a product as a model, registered when the run's reads are accounted for.

        The input example is made up, as its ``spec`` says.
        """
        spec = made.spec
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "patterns.parquet"
            frame = made.rows.select(list(spec.columns)).to_pandas()
            frame.dropna(subset=list(spec.needs)).to_parquet(data, index=False)
            made_of = ModelFiles(code_file(spec.module, Path(folder)), data, spec.example(made.rows))
            self.artefacts |= made_of.hashes()
            facts = {"scope_digest": self.scope_digest, "scope_state": self.state, **self._on_models()}
            logged = log_model(self.client, self.run_id, spec, made_of, facts, self.measured)
        self.pending = (f"{self.study}-{self.job}", logged, spec.about)

    def _on_models(self) -> dict[str, str]:
        """The facts that belong on a model."""
        return {name: self.facts[name] for name in ON_MODELS if name in self.facts}

    def issue_receipt(self, verdict: str, **more: object) -> None:
        """Sign what the run was allowed to read, read, and let out; enter it in the ledger; then register its model.

        ``verdict`` is what the release check said (``checked``, ``withheld``, ``failed``, …). The exact receipt stays in
        the study's folder; MLflow gets one whose counts may be shown, and none of a failed run, whose words nobody checked.
        Raises :class:`PermissionRefused` where a model is to be registered and the receipt is not valid.
        """
        run = {
            "run": self.run_id, "job": self.job, "question": self.question, "code": code_version(),
            "environment": environment_hash(), "verdict": verdict, "process": platform.python_version(), **self.made, **more,
        }  # fmt: skip
        receipt = receipts.make(self.settings, self.scope, run, self.artefacts)
        (self.folder / "receipt.json").write_text(json.dumps(receipt, indent=2, ensure_ascii=False), "utf-8")
        digest = receipts.receipt_hash(receipt)
        body = {
            "run": self.run_id,
            "study": self.study,
            "job": self.job,
            "code": run["code"],
            "receipt": digest,
        }
        permit = dict(self.scope.get("permit", {}))
        body |= {
            "verdict": verdict,
            "permit": permit.get("hash", ""),
            "actor": self.scope.get("actor", ""),
            **more,
        }
        body["reading"] = self.scope.get("reading", "")
        ledger.append(self.settings, "receipt", {**body, **seen(self.scope)})
        if verdict != "failed":
            shown = clean_scope(self.scope, self.thresholds, self.beside)
            public = receipts.make(self.settings, shown, {**run, "exact": digest}, self.artefacts)
            self.client.log_dict(self.run_id, public, "receipt.json")
        self.tag(receipt_hash=digest)
        if self.pending is not None and self.state == ACCOUNTED:
            receipts.require(self.settings, receipt)
            self._register(*self.pending)

    def _register(self, name: str, made: LoggedModel, about: str) -> None:
        """A new version of the study's model, with what it was learned from.

        A local registry would look a ``models:/`` address up in the store of the whole process, so it is told the
        place, and model and version name each other by tags.
        """
        registered(self.client, name, f"{about} in study {self.study}.")
        tags = {"run_id": self.run_id, "scope_digest": self.scope_digest, **self._on_models()}
        tags |= {"receipt_hash": self.facts["receipt_hash"], "model_id": made.model_id}
        source = made.artifact_location if is_local(self.settings) else made.model_uri
        version = self.client.create_model_version(
            name, source, self.run_id, tags=tags, description=self.question, model_id=made.model_id
        )
        named = json.dumps([{"name": name, "version": version.version}])
        self.client.set_logged_model_tags(made.model_id, {"mlflow.modelVersions": named})


def scope_record(study: Study) -> dict[str, Any]:
    """The scope of a study as plain JSON values."""
    return dict(json.loads(study.scope().to_json()))


def seen(scope: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of a scope: state, digest, tables and versions; no counts."""
    reads = sorted({f"{read['table']}@{read['version']}" for read in scope.get("reads", ())})
    return {"state": scope.get("state"), "scope": scope.get("digest"), "reads": reads}
