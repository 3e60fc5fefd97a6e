"""What the ``patternlake`` commands do, once their arguments are understood."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.results import find_run, runs
from lakehouse.errors import ConfigurationError, DataError, UsageError
from lakehouse.progress import Progress
from lakehouse.settings import Settings

NOISE = (
    "Ivy",
    ":: ",
    "\tconfs:",
    "The jars for the packages",
    "WARNING: Using incubator",
    "Using Spark's default",
)
"""How the launcher's lines begin that say nothing to a researcher."""


def synth(settings: Settings, out: Path, persons: int, seed: int, defects: float) -> None:
    """Write deliveries and print what was written."""
    from lakehouse.session import spark_session
    from lakehouse.synthetic import synthesise

    progress = Progress()
    spark = spark_session(settings, "patternlake synth")
    try:
        summary = synthesise(spark, settings, out, persons, seed, defects=defects, progress=progress)
    finally:
        spark.stop()
    print(f"{sum(summary.rows.values()):,} rows of {summary.persons:,} persons in {summary.delivery}")
    for folder in sorted({name.partition("/")[0] for name in summary.rows}):
        rows = [count for name, count in summary.rows.items() if name.startswith(f"{folder}/")]
        print(f"  {folder:<8} {len(rows):>3} files {sum(rows):>12,} rows")
    print(f"Planted truth (never read by a job): {summary.truth}")


def ingest(settings: Settings, folder: Path, format: str) -> None:
    """Ingest a delivery and print the balance of every file."""
    from lakehouse.ingest import ingest as bring_in
    from lakehouse.session import spark_session

    if not folder.is_dir():
        raise DataError(
            f"There is no folder {folder}.", "", "Name a delivery, an OMOP folder or a MEDS data set."
        )
    progress = Progress()
    spark = spark_session(settings, "patternlake ingest")
    try:
        summary = bring_in(spark, settings, folder, format=format, progress=progress)
    finally:
        spark.stop()
    print(summary)


def job_file(job: str) -> Path:
    """The file of a job: a path, a name beside the package, or one of those in the wheel."""
    if job.endswith(".py"):
        path = Path(job)
    else:
        package = Path(__file__).resolve().parent
        beside = package.parent / "jobs"
        path = (beside if beside.is_dir() else package / "_jobs") / f"{job}.py"
    if not path.is_file():
        known = (
            ", ".join(sorted(p.stem for p in path.parent.glob("*.py"))) if path.parent.is_dir() else "none"
        )
        raise UsageError(f"There is no job {job}.", f"Looked for {path}.", f"Known jobs: {known}.")
    return path


def submit(
    settings: Settings,
    job: str,
    study: str,
    options: Sequence[str],
    *,
    master: str | None = None,
    verbose: bool = False,
) -> int:
    """Run ``spark-submit`` with the profile's properties and return the job's own exit code."""
    if "--dry-run" in options:
        plain = [sys.executable, str(job_file(job)), "--study", study, "--lake", str(settings.home), *options]
        return subprocess.run(plain, check=False).returncode
    import pyspark

    from lakehouse.doctor import ensure_java
    from lakehouse.settings import conf_dir

    ensure_java()
    settings.scratch.mkdir(parents=True, exist_ok=True)
    program = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    command = [str(program), "--properties-file", str(settings.spark_conf)]
    command += ["--master", master] if master else []
    command += [str(job_file(job)), "--study", study, *options]
    environment = os.environ | {
        "PATTERNLAKE_HOME": str(settings.home),
        "PATTERNLAKE_PROFILE": settings.profile,
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "SPARK_CONF_DIR": str(conf_dir() / "spark"),
        "SPARK_LOCAL_DIRS": str(settings.scratch),
        "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
    }
    with stderr_of_job(settings.scratch) as channel:
        environment |= channel
        quiet = None if verbose else subprocess.PIPE
        process = subprocess.Popen(command, env=environment, stderr=quiet, text=True, errors="replace")
        try:
            for line in process.stderr or ():
                if not is_noise(line):
                    sys.stderr.write(line)
                    sys.stderr.flush()
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            return process.wait()


@contextmanager
def stderr_of_job(scratch: Path) -> Iterator[dict[str, str]]:
    """A pipe by which a job's standard error reaches ours: ``spark-submit`` would mix it into standard output.

    Gives the environment that tells the job where the pipe is (see :func:`experiments.job.own_stderr`).
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        pipe = Path(folder) / "stderr"
        os.mkfifo(pipe, 0o600)
        end = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        done = threading.Event()

        def copy() -> None:
            while True:
                ready, _, _ = select.select([end], [], [], 0.1)
                if ready:
                    os.write(2, os.read(end, 65536))
                elif done.is_set():
                    return

        copier = threading.Thread(target=copy, daemon=True)
        copier.start()
        try:
            yield {
                "PATTERNLAKE_STDERR": str(pipe),
                "PATTERNLAKE_TERMINAL": "1" if sys.stderr.isatty() else "",
            }
        finally:
            done.set()
            copier.join()
            os.close(end)


def is_noise(line: str) -> bool:
    """Whether a line of the launcher says nothing to a researcher."""
    return (
        line.startswith(NOISE)
        or " added as a dependency" in line
        or "artifacts copied" in line
        or "|" in line.strip()[:1]
        or line.strip().startswith("-----")
        or "Host repos.spark-packages.org" in line
        or (line.startswith("\t") and "Exception" not in line)
        or not line.strip()
    )


def export_patterns(settings: Settings, run_id: str, study: str | None, out: Path) -> Path:
    """Copy the raw patterns of a run to ``out``, whole or not at all."""
    source = find_run(settings, run_id, study) / "patterns.parquet"
    if not source.is_file():
        raise DataError(
            f"Run {run_id} left no patterns.", "It failed or its reads are not accounted for.", ""
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(out.name + ".tmp")
    shutil.copyfile(source, temporary)
    temporary.replace(out)
    return out


def scope_of(settings: Settings, run_id: str, study: str | None) -> dict[str, Any]:
    """The scope record of a run."""
    path = find_run(settings, run_id, study) / "scope.json"
    if not path.is_file():
        raise DataError(f"Run {run_id} has no scope record.", "It ended before its study was closed.", "")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def scope_text(record: dict[str, Any]) -> str:
    """A scope record for reading."""
    from lakehouse.governance.scope import Scope

    return Scope.from_json(json.dumps(record)).describe()


def touched(settings: Settings, target: str) -> Iterator[str]:
    """One line for every run that read a table or column, newest first."""
    layer, _, rest = target.partition(".")
    table, _, column = rest.partition(".")
    for path in runs(settings):
        if not (path / "scope.json").is_file():
            continue
        record = json.loads((path / "scope.json").read_text(encoding="utf-8"))
        for read in record["reads"]:
            uses = {use: read[f"columns_{use}"] for use in ("direct", "filter", "join")}
            how = [use for use, columns in uses.items() if column in columns] if column else ["read"]
            if read["table"] == f"{layer}.{table}" and how:
                yield "\t".join(
                    [
                        path.name,
                        path.parent.name,
                        f"version {read['version']}",
                        "+".join(how),
                        record["state"],
                    ]
                )


def ui(settings: Settings, port: int) -> int:
    """Start the MLflow server on loopback and wait for it."""
    (settings.home / "mlflow").mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_AI_GATEWAY": "false",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", settings.tracking_uri]
    command += [
        "--default-artifact-root",
        str(settings.artifacts),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    if settings.tracking_uri.startswith("http"):
        print(f"The tracking server is {settings.tracking_uri}; open it in a browser.")
        return 0
    print(f"MLflow at http://127.0.0.1:{port} (stop with Ctrl-C)", file=sys.stderr)
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 0


def demo(settings: Settings, persons: int, seed: int, source: Path | None) -> int:
    """The whole line in one go; safe to repeat."""
    began = time.monotonic()
    study = "demo" if source is None else f"demo-{source.name.replace('_', '-').lower()}"
    folder = source
    if folder is None:
        folder = settings.home / "deliveries" / f"synthetic-{persons}-{seed}"
        say(f"1/4  A synthetic region of {persons:,} persons, seed {seed}: {folder}")
        if (folder / "delivery" / "delivery.toml").is_file():
            say("     already there")
        else:
            step(
                [
                    sys.executable,
                    "-m",
                    "experiments.cli",
                    "synth",
                    "--persons",
                    str(persons),
                    "--seed",
                    str(seed),
                    "--out",
                    str(folder),
                    "--lake",
                    str(settings.home),
                ]
            )
    else:
        say(f"1/4  Foreign data: {folder}")
    say("2/4  Ingest: pseudonyms at the door, bad rows to quarantine, every row accounted for")
    step([sys.executable, "-m", "experiments.cli", "ingest", str(folder), "--lake", str(settings.home)])
    say(f"3/4  Study '{study}' and its permit")
    from lakehouse.governance.permits import grant_all

    try:
        settings.definition("studies", study)
        say("     already there")
    except ConfigurationError:
        grant_all(settings, study)
    say("4/4  Mining with spark-submit: every ordered pair of codes")
    code = submit(settings, "mine_pairs", study, [])
    if code == 0:
        print(where(settings, study, time.monotonic() - began))
    return code


def where(settings: Settings, study: str, seconds: float) -> str:
    """Where a demo's results are."""
    run = find_run(settings, "latest", study)
    return "\n".join(
        [
            "",
            f"Done in {seconds:.0f} s.",
            f"  report        {run / 'report.html'}",
            f"  scope record  {run / 'scope.json'}   (patternlake scope show latest --study {study})",
            f"  patterns      patternlake patterns latest --study {study} --out patterns.parquet",
            "  MLflow UI     make ui   (or: patternlake ui), then http://127.0.0.1:5000",
        ]
    )


def say(text: str) -> None:
    """A line of the demo's own story."""
    print(text, file=sys.stderr, flush=True)


def step(command: Sequence[str]) -> None:
    """One step of the demo in a process of its own, so that each has a JVM of its own and leaves nothing behind."""
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(code)
