"""What spark-submit needs to run our jobs the way a cluster does: a zipped wheel and a Python without our checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pyspark

from lakehouse.doctor import ensure_java

ROOT = Path(__file__).resolve().parents[2]
SPARK_HOME = Path(pyspark.__file__).parent


def zipped_wheel(folder: Path) -> Path:
    """The wheel of this checkout, built anew and renamed ``.zip``: a ``.whl`` does not reach the workers."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    wheel = next(folder.glob("*.whl"))
    return Path(shutil.copyfile(wheel, wheel.with_suffix(".zip")))


def bare_python(folder: Path) -> Path:
    """A Python that has our dependencies and not our packages, so that only the zip can bring those.

    The libraries are reached by one path entry; the ``.pth`` file that points to the checkout lies there
    too and is not followed from a path entry.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    found = subprocess.run(
        [str(python), "-c", "import lakehouse.settings"], cwd=folder, capture_output=True, check=False
    )
    assert found.returncode, "the bare Python must not see the checkout"
    return python


def submit(
    python: Path, home: Path, cwd: Path, arguments: list[str], **environment: str
) -> tuple[int, str, str]:
    """Run ``spark-submit`` from ``cwd``; exit code, standard output, standard error."""
    java = ensure_java()
    settings = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "JAVA_HOME": str(java),
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(home / "tmp"),
        "PYSPARK_PYTHON": str(python),
        "PYSPARK_DRIVER_PYTHON": str(python),
        "PATTERNLAKE_HOME": str(home),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [str(SPARK_HOME / "bin" / "spark-submit"), *arguments]
    run = subprocess.run(
        command,
        cwd=cwd,
        env=settings | environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return run.returncode, run.stdout, run.stderr
