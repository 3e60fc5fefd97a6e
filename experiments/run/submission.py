"""Submitting a job: ``spark-submit`` with the profile's properties, its chatter kept out of the results."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.errors import UsageError
from lakehouse.settings import Settings

if TYPE_CHECKING:
    pass

NOISE = (
    "Ivy",
    ":: ",
    "\tconfs:",
    "The jars for the packages",
    "WARNING: Using incubator",
    "Using Spark's default",
)
"""How the launcher's lines begin that say nothing to a researcher."""


def jobs_folder() -> Path:
    """Where the platform's own jobs lie: beside the package, or in the wheel."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / "jobs"
    return beside if beside.is_dir() else package / "_jobs"


def job_file(job: str) -> Path:
    """The file of a job: a path, or a name among the platform's own.

    Raises :class:`UsageError` where there is no such file.
    """
    path = Path(job) if job.endswith(".py") else jobs_folder() / f"{job}.py"
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

    Gives the environment that tells the job where the pipe is (see :func:`own_stderr`).
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


def own_stderr() -> None:
    """Write standard error to the pipe ``patternlake run`` listens on, where it started this job.

    ``spark-submit`` joins a Python program's standard error to its standard output, so progress would end up
    among the results.
    """
    pipe = os.environ.get("PATTERNLAKE_STDERR")
    if pipe and Path(pipe).is_fifo():
        sys.stderr.flush()
        end = os.open(pipe, os.O_WRONLY)
        os.dup2(end, 2)
        os.close(end)
