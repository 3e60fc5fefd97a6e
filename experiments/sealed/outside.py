"""A sealed run from outside: the extract must be fresh, the job gets a sandbox, what it leaves is observed and checked."""

from __future__ import annotations

import getpass
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.sealed import sandbox
from experiments.sealed.definitions import copy_definitions, used_inside
from experiments.sealed.inside import FINDINGS, SCOPE
from lakehouse.definitions import load
from lakehouse.errors import ConfigurationError, DataError, ScopeBreach
from lakehouse.governance.access.row_rules import opted_out_file
from lakehouse.governance.ledger import ledger
from lakehouse.governance.observers.event_log import EventLogReads, read
from lakehouse.governance.permits.files import lake_kind, load_permit, load_study
from lakehouse.governance.permits.refusals import refuse_unless_open
from lakehouse.governance.permits.signatures import require_signature
from lakehouse.governance.permits.study_definition import StudyDefinition
from lakehouse.governance.plans.text import below
from lakehouse.governance.scope.record import digest_of_list
from lakehouse.settings import Settings, conf_dir, read_properties
from lakehouse.study.extract import Extract, digest_of, extract_folder, manifest, refuse_stale

if TYPE_CHECKING:
    from experiments.findings import Findings
    from experiments.run.definition import Job

HOME, CONF, OUT, WATCHED, JARS = (
    "/sealed/home",
    "/sealed/conf",
    "/sealed/out",
    "/sealed/watched",
    "/sealed/jars",
)
JAR_NAMES = ("delta-spark_", "delta-storage-")


def fresh_extract(settings: Settings, study_id: str, actor: str) -> Extract:
    """The study's extract, refused when permit, actor, cohort or opt-outs do not allow it today."""
    from datetime import date

    definition = load_study(settings, study_id)
    permit = load_permit(settings, definition.permit)
    refuse_unless_open(permit, actor, date.today())
    if lake_kind(settings) == "real":
        require_signature(settings, permit, settings.definition("permits", definition.permit))
    listed = opted_out_file(settings.home, permit)
    extract = manifest(settings, study_id)
    digest = digest_of_list(listed.read_bytes()) if listed else ""
    refuse_stale(extract, study_id, permit.hash, digest, definition.cohort)
    return extract


def delta_jars() -> list[Path]:
    """Delta's JARs as Ivy has fetched them: inside there is no network to fetch anything.

    Raises :class:`ConfigurationError` where they are not on this machine yet.
    """
    folders = [*sorted(Path.home().glob(".ivy2*/jars")), *sorted(Path.home().glob(".ivy2*/cache"))]
    there = [path for folder in folders for path in sorted(folder.rglob("*.jar"))]
    found = [next((path for path in there if name in path.name), None) for name in JAR_NAMES]
    if None in found:
        raise ConfigurationError(
            "Delta's JARs are not on this machine.",
            "A sealed job cannot fetch them.",
            "Run any job once without --sealed.",
        )
    return [path for path in found if path is not None]


@contextmanager
def sandbox_for(settings: Settings, extract: Extract, job: Path) -> Iterator[tuple[sandbox.Sandbox, Path]]:
    """The sandbox of one run, and the folder outside in which its output and its event log appear."""
    settings.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.scratch, prefix="sealed-") as place:
        work, cut = Path(place), extract_folder(settings, extract.study)
        work.chmod(0o711)
        for name in ("home", "out", "watched"):
            (work / name).mkdir(mode=0o777)
            (work / name).chmod(0o777)
        jars = {f"{JARS}/{number}-{path.name}": path for number, path in enumerate(delta_jars())}
        _configuration(settings, work / "conf", list(jars))
        package = Path(__file__).resolve().parents[2]
        code = {f"/sealed/code/{name}": package / name for name in ("lakehouse", "experiments")}
        import pyspark

        from lakehouse.doctor import ensure_java

        java = ensure_java()
        folders = [*sandbox.interpreter_folders(), java.resolve()]
        own = {str(path): path for path in folders if not path.is_relative_to("/usr")}
        environment = {
            "PATH": "/usr/bin:/bin", "HOME": "/home/job", "TMPDIR": "/tmp", "USER": "job", "LANG": "C.UTF-8",
            "JAVA_HOME": str(java.resolve()), "SPARK_HOME": str(Path(pyspark.__file__).parent),
            "SPARK_LOCAL_DIRS": f"{HOME}/tmp", "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": "/sealed/code", "PYTHONDONTWRITEBYTECODE": "1", "MLFLOW_DISABLE_TELEMETRY": "true",
            "PATTERNLAKE_HOME": HOME, "PATTERNLAKE_CONF": CONF, "PATTERNLAKE_PROFILE": "sealed", "PATTERNLAKE_VERBOSE": "1",
            "NUMBA_CACHE_DIR": f"{HOME}/tmp/numba", "MPLCONFIGDIR": f"{HOME}/tmp", "NUMBA_DISABLE_CACHING": "0",
        }  # fmt: skip
        yield sandbox.Sandbox(
            read={
                f"{HOME}/lake": cut / "lake", f"{HOME}/conf": cut / "conf", CONF: work / "conf",
                f"/sealed/job/{job.name}": job, **code, **jars, **own,
            },
            write={HOME: work / "home", OUT: work / "out", WATCHED: work / "watched"},
            environment=environment,
        ), work  # fmt: skip


def _configuration(settings: Settings, folder: Path, jars: list[str]) -> None:
    """The ``conf`` a sealed job sees: code lists, and Spark's properties with local JARs and the event log on."""
    copy_definitions(settings, folder)
    (folder / "profiles").mkdir()
    (folder / "profiles" / "sealed.toml").write_text(
        f'home = "{HOME}"\nspark = "sealed.conf"\nsmall_cell = {settings.small_cell}\n'
    )
    properties = read_properties(settings.spark_conf)
    properties.pop("spark.jars.packages", None)
    properties |= {
        "spark.jars": ",".join(jars), "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        "spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file:{WATCHED}", "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
    }  # fmt: skip
    if not properties.get("spark.master", "").startswith("local"):
        properties["spark.master"] = "local[*]"
    (folder / "spark").mkdir()
    lines = "".join(f"{key} {value}\n" for key, value in properties.items())
    (folder / "spark" / "sealed.conf").write_text(lines)
    shutil.copyfile(conf_dir() / "spark" / "log4j2.properties", folder / "spark" / "log4j2.properties")


def observe(watched: Path) -> EventLogReads:
    """What Spark's event log shows, read outside the sandbox.

    Raises :class:`DataError` unless there is exactly one event log.
    """
    logs = [path for path in watched.iterdir() if not path.name.startswith(".")]
    if len(logs) != 1:
        raise DataError(f"{len(logs)} event logs instead of one.", "The run cannot be accounted for.", "")
    return read(logs[0])


def reconcile(scope: dict[str, Any], logged: EventLogReads, extract: Extract) -> dict[str, Any]:
    """The scope of a sealed run: the job's own record, held against the log, under the extract's commitment.

    Nothing outside the extract existed for the job; the log must agree.
    """
    roots = {f"{HOME}/lake/{table.replace('.', '/')}": table for table in extract.columns}
    reasons = list(scope.get("reasons", ()))
    for scan in logged.scans:
        for path in scan.paths:
            table = next((name for root, name in roots.items() if path == root), None)
            if table is None and below(path, HOME + "/lake"):
                reasons.append(f"{path.removeprefix(HOME)} was scanned, past the study.")
            elif table and (beyond := sorted(set(scan.columns) - set(extract.columns[table]))):
                reasons.append(f"{', '.join(beyond)} of {table} left the disk beyond the extract.")
    state = "breach" if len(reasons) > len(scope.get("reasons", ())) else scope.get("state", "unaccounted")
    observed = {"executions": logged.executions, "scans": len(logged.scans), "event_log": logged.sha256}
    return {
        **scope, "state": state, "reasons": list(dict.fromkeys(reasons)), "assurance": "sealed", "reading": extract.reading,
        "commitment": extract.commitment, "reconciliation": {**scope.get("reconciliation", {}), "outside": observed},
        "extract": digest_of(extract),
    }  # fmt: skip


@dataclass(frozen=True)
class SealedOutcome:
    """What a sealed job left behind, as it was found outside; no findings when it failed with ``code``."""

    code: int
    scope: dict[str, Any]
    findings: Findings | None = None
    attrition: list[tuple[str, int]] = field(default_factory=list)
    definitions: dict[str, str] = field(default_factory=dict)


def ask_sealed(job: Job, file: Path, settings: Settings, study_id: str, params: Any) -> SealedOutcome:
    """Run the job in its sandbox, and look at what it ended."""
    actor = getpass.getuser()
    extract = fresh_extract(settings, study_id, actor)
    with sandbox_for(settings, extract, file) as (confined, work):
        command = [
            sys.executable,
            "-m",
            "experiments.sealed.inside",
            f"/sealed/job/{file.name}",
            "--study",
            study_id,
        ]
        command += ["--actor", actor, "--params", json.dumps(asdict(params)), "--out", OUT]
        code = sandbox.run(confined, command)
        scope = _json(work / "out" / SCOPE) if (work / "out" / SCOPE).is_file() else {}
        scope = reconcile(scope, observe(work / "watched"), extract)
        if code or not (work / "out" / FINDINGS).is_file():
            return SealedOutcome(code or DataError.exit_code, scope)
        facts = _json(work / "out" / FINDINGS)
        attrition = [(str(rule), int(persons)) for rule, persons in facts["attrition"]]
        used = {str(name): str(digest) for name, digest in facts["definitions"].items()}
        return SealedOutcome(0, scope, findings_of(work / "out", facts, job, study_id), attrition, used)


def findings_of(out: Path, facts: Mapping[str, Any], job: Job, study_id: str) -> Findings:
    """What a sealed job left in ``out``, as findings: products of kinds the job declares, raw, of this study.

    Raises :class:`DataError` for anything else.
    """
    from experiments.findings import Findings
    from experiments.products.base import Product, require_given

    kinds = {kind.name: kind for kind in job.gives}
    products: list[Product] = []
    for entry in facts["products"]:
        name, kind = str(entry["name"]), kinds.get(str(entry["kind"]))
        if kind is None or not name.isidentifier():
            raise DataError(
                f"The sealed job left '{name}', which it does not declare.", "", "Look at the job."
            )
        product = kind.read(out, name)
        if not product.made_by(job.name, study_id):
            raise DataError(
                f"What the sealed job left as '{name}' is not its raw result.", "", "Look at the job."
            )
        products.append(product)
    require_given(tuple(products), job.gives, job.name)
    return Findings(tuple(products), int(facts["persons"]), tuple(map(str, facts["remarks"])))


def run_sealed(job: Job, file: Path, settings: Settings, study_id: str, params: Any) -> str:
    """A whole sealed run: intent, sandbox, observation, check, report, receipt; the MLflow run's id.

    Raises :class:`ScopeBreach` where the job fails, or where what it read is not accounted for.
    """
    from experiments.run.publish import ACCOUNTED, conclude
    from experiments.run.runner import command_line, record_definitions, report_context
    from experiments.tracking import mlflow_runs
    from experiments.tracking.code_version import code_version

    began, permit = time.time(), load_permit(settings, load_study(settings, study_id).permit)
    about: dict[str, Any] = {
        "study": study_id,
        "job": job.name,
        "use_case": job.use_case,
        "question": job.question,
    }
    with mlflow_runs.run(
        settings, **about, facts={"kind": lake_kind(settings), "assurance": "sealed"}
    ) as run:
        defined = load(settings, StudyDefinition, study_id)
        intent = {"run": run.run_id, "study": study_id, "job": job.name, "code": code_version()}
        ledger.append(settings, "intent", {**intent, "definitions": defined.hashes})
        run.bind_permit(permit, defined.content.seed)
        run.made |= {"params": asdict(params), "command": command_line(job, study_id, params) + " --sealed"}
        ended = ask_sealed(job, file, settings, study_id, params)
        record_definitions(run, used_inside(settings, study_id, ended.definitions))
        findings, scope = ended.findings, ended.scope
        if findings is None:
            run.store_scope(scope)
            raise ScopeBreach(
                f"The sealed job ended with code {ended.code}.", "What it printed stands above.", ""
            )
        context = report_context(
            job, study_id, permit.purpose, ended.attrition, findings, params, scope, time.time() - began
        )
        context = replace(context, command=str(run.made["command"]))
        outcome = conclude(run, findings, context)
    if outcome.state != ACCOUNTED:
        raise ScopeBreach(
            f"What run {outcome.run_id} read is {outcome.state}.", "; ".join(scope["reasons"]) + ".", ""
        )
    print(f"run     {outcome.run_id}  (scope: {outcome.state}, sealed)")
    return outcome.run_id


def _json(path: Path) -> dict[str, Any]:
    """A file the job left, as plain values; anything else is refused."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"The sealed job left no readable {path.name}.", "", "Look at the job.") from error
    if not isinstance(found, dict):
        raise DataError(f"The sealed job left a strange {path.name}.", "", "Look at the job.")
    return found
