"""Run a job from permit to receipt: intent in the ledger, study, MLflow run, scope, checked results, receipt."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from experiments.products.base import Audience, require_given
from experiments.report.context import ReportContext
from experiments.run.publish import ACCOUNTED, Outcome, conclude
from experiments.run.replay import EarlierRun
from experiments.run.submission import jobs_folder
from experiments.tracking import mlflow_runs
from experiments.tracking import run_record as tracking
from experiments.tracking.code_version import code_version
from lakehouse.definitions.loader import as_tag, load
from lakehouse.delta.tables import rows_of_newest, table_path
from lakehouse.errors import ScopeBreach
from lakehouse.governance.ledger import ledger
from lakehouse.governance.permits.files import lake_kind, load_permit, load_study
from lakehouse.governance.permits.study_definition import StudyDefinition
from lakehouse.progress import Progress, current, show_on
from lakehouse.session import spark_session
from lakehouse.settings import Settings
from lakehouse.study.session import open_data

if TYPE_CHECKING:
    from experiments.findings import Findings
    from experiments.run.definition import Job
    from lakehouse.study.session import Study


def run_job(
    job: Job,
    settings: Settings,
    study_id: str,
    params: Any,
    progress: Progress,
    began: float,
    replay: EarlierRun | None = None,
) -> str:
    """Ask a job's question and leave its whole record; the MLflow run's id.

    With ``replay`` the tables are those versions that an earlier run read, and its result must come out again.
    Raises :class:`ScopeBreach` after everything is stored when the run's reads are not accounted for: its
    results then stay inside the study.
    """
    show_on(progress)
    with progress.watch("starting Spark"):
        spark = spark_session(settings, f"patternlake {job.name}")
    try:
        used = load(settings, StudyDefinition, study_id).hashes
        facts = {"kind": lake_kind(settings), "definitions": as_tag(used)}
        with mlflow_runs.run(
            settings, study=study_id, job=job.name, use_case=job.use_case, question=job.question, facts=facts
        ) as run:
            intent = {"run": run.run_id, "study": study_id, "job": job.name, "code": code_version()}
            ledger.append(settings, "intent", {**intent, "definitions": used})
            findings, study = _ask(job, spark, settings, study_id, params, run, replay)
            with progress.watch("reconciling what was read with the permit"):
                scope = tracking.scope_record(study)
            with progress.watch("checking, drawing and writing the report"):
                context = report_context(
                    job,
                    study_id,
                    study.permit.purpose,
                    study.attrition,
                    findings,
                    params,
                    scope,
                    time.time() - began,
                )
                outcome = conclude(run, findings, context)
    finally:
        spark.stop()
    print(printed(job, settings, study_id, outcome))
    if outcome.state != ACCOUNTED:
        raise ScopeBreach(
            f"What run {outcome.run_id} read is {outcome.state}.",
            "; ".join(scope.get("reasons", ())) + ".",
            f"Its results stay in the study; see 'patternlake scope show {outcome.run_id}'.",
        )
    if replay is not None:
        print(replay.compare(settings.results / study_id / outcome.run_id))
    return outcome.run_id


def _ask(
    job: Job,
    spark: Any,
    settings: Settings,
    study_id: str,
    params: Any,
    run: tracking.RunRecord,
    replay: EarlierRun | None,
) -> tuple[Findings, Study]:
    """The job's own part; whatever it read is on the run's record even when it fails."""
    try:
        with current().watch("opening the study"):
            opened = open_data(spark, settings, study_id, versions=replay.versions if replay else None)
        with opened as study:
            run.bind(study)
            run.made |= {
                "params": asdict(params),
                "seed": study.seed,
                "command": command_line(job, study_id, params),
            }
            run.made |= {"replay_of": replay.run} if replay else {}
            study.require(job.reads_for(params))
            findings = job.ask(study, params)
            require_given(findings.products, job.gives, job.name)
            record_definitions(run, study.definitions)
    except BaseException:
        if "study" in locals():
            record_definitions(run, study.definitions)
            scope = tracking.scope_record(study)
            run.store_scope(scope)
        raise
    return findings, study


def record_definitions(run: tracking.RunRecord, used: Mapping[str, str]) -> None:
    """Put the hash of every definition a run has used, by name, into its receipt and its tag."""
    run.made["definitions"] = dict(used)
    run.tag(definitions=as_tag(used))


def report_context(
    job: Job,
    study_id: str,
    purpose: str,
    attrition: list[tuple[str, int]],
    findings: Findings,
    params: Any,
    scope: dict[str, Any],
    seconds: float,
) -> ReportContext:
    """What the report of a run says beside the products; ``attrition`` holds persons left after each rule."""
    return ReportContext(
        question=job.question,
        persons=findings.persons,
        command=command_line(job, study_id, params),
        scope=scope,
        job=job.name,
        study=study_id,
        attrition=[*attrition, ("with a dated event", findings.persons)],
        purpose=purpose,
        seconds=seconds,
        remarks=findings.remarks,
        parameters=asdict(params),
    )


def command_line(job: Job, study_id: str, params: Any) -> str:
    """The command that repeats a run: parameters that differ from the defaults are named.

    A job that is not among the platform's own is named by its file, without the folder it happened to lie in.
    """
    default = asdict(job.params())
    own = (jobs_folder() / f"{job.name}.py").is_file()
    words = ["patternlake", "run", job.name if own else f"{job.name}.py", "--study", study_id]
    for key, value in asdict(params).items():
        if value != default[key]:
            words += ["--set", f"{key}={value}"]
    return shlex.join(words)


def printed(job: Job, settings: Settings, study_id: str, outcome: Outcome) -> str:
    """What a finished run prints: how much was found, and where everything lies."""
    folder = settings.results / study_id / outcome.run_id
    figures = [", ".join(f"{value} {label}" for label, value in each.figures) for each in outcome.checked]
    lines = [f"{line[:1].upper()}{line[1:]}." for line in figures if line]
    lines += [f"run     {outcome.run_id}  (scope: {outcome.state})"]
    lines += [f"report  {outcome.report}"] if outcome.report else []
    for product in outcome.products:
        if product.audience is Audience.NAMED:
            lines.append(f"list    {folder / product.name}.parquet (single persons: for the desk alone)")
    return "\n".join([*lines, f"scope   {folder / 'scope.json'}"])


def dry_run(job: Job, settings: Settings, study_id: str, params: Any, progress: Progress) -> None:
    """Print what a run would read and test, and every grant that is missing; reads the permit and table logs only."""
    permit = load_permit(settings, load_study(settings, study_id).permit)
    print(f"{job.question}\n")
    print(f"study   {study_id}\npermit  {permit.permit_id} until {permit.valid_to}, for {permit.purpose}")
    print(
        f"persons about {rounded(rows_of_newest(table_path(settings, 'gold.person')))} in the lake; counted are those of"
    )
    print(f"        the permit's population ({permit.population}), less opt-outs")
    reads = job.reads_for(params)
    for table, columns in reads.items():
        rows = rows_of_newest(table_path(settings, table))
        print(f"read    {table} (about {rounded(rows)} rows): {', '.join(columns)}")
    for grant in permit.missing(reads):
        print(f"MISSING {grant} is not granted: ask for it with the permit's number, or leave it out")
    codes = rows_of_newest(table_path(settings, "gold.vocabulary"))
    for kind in job.gives:
        print(f"gives   {kind.name} ({kind.audience.value}): {kind.expects(codes)}")
    print("params  " + ", ".join(f"{key}={value}" for key, value in asdict(params).items()))


def rounded(number: int) -> str:
    """A count to two figures, so that a dry run discloses nobody."""
    return "fewer than 100" if number < 100 else f"{float(f'{number:.2g}'):,.0f}"
