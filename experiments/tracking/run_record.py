"""The record of every run in MLflow: tags, inputs, scope, results, model; nothing else knows MLflow."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

from mlflow.data.dataset import Dataset

from experiments.tracking.code_version import code_version, environment_hash
from experiments.tracking.lake_source import LakeTableSource
from lakehouse.data_model import GOLD
from lakehouse.governance.ledger import ledger, receipts
from lakehouse.governance.suppression.disclosure import Thresholds
from lakehouse.governance.suppression.totals import clean_scope

if TYPE_CHECKING:
    from mlflow.data.dataset_source import DatasetSource

    from experiments.products.kinds import ModelSpec
    from experiments.products.patterns import Patterns
    from lakehouse.governance.permits.model import Permit
    from lakehouse.settings import Settings
    from lakehouse.study.session import Study

ACCOUNTED = "accounted"
TAG_LENGTH = 5_000
"""Longest tag written; MLflow refuses more than 8,000 characters."""


class LakeTable(Dataset):
    """A table of the lake as a run read it: name, version and columns; no rows, no counts, no profile."""

    def __init__(self, source: LakeTableSource) -> None:
        self._read = source
        super().__init__(cast("DatasetSource", source), name=f"{source.table}@{source.version}")

    def _compute_digest(self) -> str:
        return hashlib.sha256(json.dumps(self._read.to_dict(), sort_keys=True).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, str]:
        """As MLflow stores it: with the columns and their types as schema."""
        table = GOLD.get(self._read.table)
        types = {column.name: column.type for column in table.columns} if table else {}
        columns = [{"name": name, "type": types.get(name, "?")} for name in self._read.columns]
        return {**super().to_dict(), "schema": json.dumps({"mlflow_colspec": columns})}

    @property
    def profile(self) -> None:
        """None: a profile would hold counts."""

    @property
    def schema(self) -> None:
        """None: given by :meth:`to_dict`."""


@dataclass
class RunRecord:
    """One run while it is going on: what the job or notebook hands in becomes its record.

    ``folder`` is the run's place inside the study (raw results, exact scope); MLflow gets checked results
    only. ``made`` is what the receipt says of the run itself: parameters, seed, hash of the result.
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
    pending: tuple[str, Any, str] | None = None

    def tag(self, **facts: object) -> None:
        """Tags of one fact each; ``scope_state`` is written ``scope.state``."""
        import mlflow

        named = {name.replace("_", ".", 1): str(value)[:TAG_LENGTH] for name, value in facts.items()}
        self.facts |= named
        mlflow.set_tags(named)

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

    def answer(self, text: str) -> None:
        """The paragraph at the head of the run's page."""
        import mlflow

        mlflow.set_tag("mlflow.note.content", text[:TAG_LENGTH])

    def metrics(self, values: Mapping[str, float]) -> None:
        """Numbers to compare runs by; person counts of 1 to k−1 must not be among them."""
        import mlflow

        mlflow.log_metrics({name: float(value) for name, value in values.items() if value == value})

    def params(self, values: Mapping[str, object]) -> None:
        """Parameters of the job, also as ``params.toml``."""
        import mlflow

        mlflow.log_params({name: str(value)[:TAG_LENGTH] for name, value in values.items()})
        lines = [f"{name} = {json.dumps(value, default=str)}" for name, value in values.items()]
        mlflow.log_text("\n".join(lines) + "\n", "params.toml")

    def store_scope(self, scope: Mapping[str, Any], beside: Iterable[int] = ()) -> None:
        """The scope: exact in the study's folder, as it may be shown in MLflow, as tags and inputs.

        ``beside`` holds other totals of persons that the run will show.
        """
        import mlflow

        self.scope, self.beside = dict(scope), tuple(beside)
        (self.folder / "scope.json").write_text(json.dumps(scope, indent=2, ensure_ascii=False), "utf-8")
        mlflow.log_dict(clean_scope(scope, self.thresholds, beside), "scope.json")
        self.state = str(scope.get("state", "unaccounted"))
        self.scope_digest = str(scope.get("digest", ""))
        self.tag(scope_state=self.state, scope_digest=self.scope_digest)
        reads = list(scope.get("reads", ()))
        self.tag(data_versions=" ".join(sorted({f"{read['table']}@{read['version']}" for read in reads})))
        for read in reads:
            used = {how: list(read.get(f"columns_{how}", ())) for how in ("direct", "filter", "join")}
            columns = sorted({name for names in used.values() for name in names})
            tags = {f"columns.{how}": ", ".join(names)[:480] for how, names in used.items() if names}
            source = LakeTableSource(str(read["table"]), int(read["version"]), columns)
            mlflow.log_input(LakeTable(source), context="mining", tags=tags)

    def withhold(self) -> None:
        """Say that nothing leaves this run, and why."""
        self.tag(release_state="withheld")
        self.answer(
            f"{self.question}\n\n**Withheld.** What this run read could not be accounted for (scope: "
            f"{self.state}), "
            "so its results are not shown. See scope.json, correct the job, and run it again."
        )

    def publish(self, files: Path) -> None:
        """Every file of a folder that holds checked results alone."""
        import mlflow

        self.artefacts |= receipts.hashes((path for path in files.rglob("*") if path.is_file()), files)
        mlflow.log_artifacts(str(files))

    def model(self, patterns: Patterns, spec: ModelSpec) -> None:
        """Log the called, checked patterns as a model, registered when the run's reads are accounted for.

        The input example is made up, as ``spec`` says.
        """
        import mlflow
        import pandas as pd
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema

        if not patterns.meta.checked:
            raise ValueError("A model is made of checked patterns alone.")
        signature = ModelSignature(
            Schema([ColSpec(kind, name) for name, kind in spec.inputs.items()]),
            Schema([ColSpec(kind, name) for name, kind in spec.outputs.items()]),
        )
        name = f"{self.study}-{self.job}"
        with tempfile.TemporaryDirectory() as folder:
            code = Path(folder) / "_".join(Path(spec.module).parts[-2:])
            code.write_text(_source_of(spec.module), "utf-8")
            data = Path(folder) / "patterns.parquet"
            called = patterns.called()
            frame = called.select(list(spec.columns)).to_pandas()
            frame.dropna(subset=list(spec.needs)).to_parquet(data, index=False)
            self.artefacts |= {
                f"model/{file}": digest for file, digest in receipts.hashes([code, data], data.parent).items()
            }
            info = mlflow.pyfunc.log_model(
                name=spec.name,
                loader_module=code.stem,
                data_path=str(data),
                code_paths=[str(code)],
                signature=signature,
                input_example=pd.DataFrame(spec.example(called)),
                pip_requirements=[f"{package}=={_version(package)}" for package in ("pandas", "pyarrow")],
                metadata={"scope.digest": self.scope_digest, "scope.state": self.state, **_short(self.facts)},
            )
        self.pending = (name, info, spec.about)

    def issue_receipt(self, verdict: str, **more: object) -> None:
        """Sign what the run was allowed to read, read, and let out; enter it in the ledger; then register its model.

        ``verdict`` is what the release check said (``checked``, ``withheld``, ``failed``, …). The exact receipt stays in
        the study's folder; MLflow gets one whose counts may be shown, and none of a failed run, whose words nobody checked.
        """
        import mlflow

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
            mlflow.log_dict(public, "receipt.json")
        self.tag(receipt_hash=digest)
        if self.pending is not None and self.state == ACCOUNTED:
            receipts.require(self.settings, receipt)
            self._register(*self.pending)

    def _register(self, name: str, info: Any, about: str) -> None:
        """A new version of the study's model, with what it was learned from."""
        import mlflow

        client = mlflow.MlflowClient()
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description=f"{about} in study {self.study}.")
        tags = {"run.id": self.run_id, "scope.digest": self.scope_digest, **_short(self.facts)}
        tags["receipt.hash"] = self.facts["receipt.hash"]
        client.create_model_version(
            name, info.model_uri, self.run_id, tags=tags, description=self.question, model_id=info.model_id
        )


def _source_of(file: str) -> str:
    """Text of a module of this package, also from inside a zip."""
    from importlib.resources import files

    return files("experiments").joinpath(file).read_text("utf-8")


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def _short(facts: Mapping[str, str]) -> dict[str, str]:
    """The facts that belong on a model."""
    kept = (
        "study.id",
        "permit.id",
        "permit.hash",
        "purpose",
        "code.version",
        "data.versions",
        "seed",
        "kind",
    )
    return {name: facts[name] for name in kept if name in facts}


def scope_record(study: Study) -> dict[str, Any]:
    """The scope of a study as plain JSON values."""
    return dict(json.loads(study.scope().to_json()))


def seen(scope: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of a scope: state, digest, tables and versions; no counts."""
    reads = sorted({f"{read['table']}@{read['version']}" for read in scope.get("reads", ())})
    return {"state": scope.get("state"), "scope": scope.get("digest"), "reads": reads}
