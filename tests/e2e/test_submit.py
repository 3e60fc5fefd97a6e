"""The plain spark-submit of the README, from a foreign directory, where workers are processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from lakehouse.governance.ledger import ledger
from lakehouse.governance.permits.files import grant_all
from lakehouse.settings import Settings, load_settings
from tests.support.lakes import write_lake
from tests.support.submitted import ROOT, SPARK_HOME, bare_python, submit, zipped_wheel
from tests.support.worlds import planted_world

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PERSONS = 4000


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(tmp_path_factory.mktemp("submitted"), "test")
    world = planted_world(seed=11, persons=PERSONS)
    names = [f"X//{code:04d}" for code in range(world.n_codes)]
    write_lake(spark, settings, world.persons, names)
    grant_all(settings, "demo")
    return settings


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("shipped")
    return zipped_wheel(folder), bare_python(folder / "python")


def record_of(settings: Settings, out: str) -> tuple[dict[str, object], Path]:
    run_id = next(line.split()[1] for line in out.splitlines() if line.startswith("run "))
    folder = settings.results / "demo" / run_id
    return json.loads((folder / "scope.json").read_text()), folder


def check_run(settings: Settings, code: int, out: str, err: str) -> Path:
    assert code == 0, err[-3000:]
    scope, folder = record_of(settings, out)
    assert scope["state"] == "accounted", scope
    reads = {read["table"]: read for read in scope["reads"]}  # type: ignore[attr-defined]
    assert set(reads) == {"gold.timeline", "gold.vocabulary"}
    assert reads["gold.timeline"]["persons"] == pq.read_table(settings.home / "staged").num_rows
    assert pq.read_metadata(folder / "patterns.parquet").num_rows > 0
    assert (folder / "report.html").stat().st_size > 10_000
    assert "holds" in ledger.verify(settings)
    return folder


@pytest.mark.slow
def test_a_job_runs_on_a_local_cluster_with_the_zipped_wheel(
    lake: Settings, shipped: tuple[Path, Path], tmp_path: Path
) -> None:
    wheel, python = shipped
    arguments = ["--properties-file", str(ROOT / "conf" / "spark" / "local.conf")]
    arguments += ["--master", "local-cluster[1,1,1024]", "--driver-memory", "2g", "--py-files", str(wheel)]
    arguments += [str(ROOT / "jobs" / "mine_pairs.py"), "--study", "demo"]
    check_run(lake, *submit(python, lake.home, tmp_path, arguments))


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[str]:
    """A Spark standalone master with two workers, stopped by their own process ids."""
    from lakehouse.doctor import ensure_java

    with socket.socket() as free, socket.socket() as free_too:
        free.bind(("127.0.0.1", 0))
        free_too.bind(("127.0.0.1", 0))
        port, web = free.getsockname()[1], free_too.getsockname()[1]
    url = f"spark://127.0.0.1:{port}"
    environment = os.environ | {"JAVA_HOME": str(ensure_java()), "SPARK_HOME": str(SPARK_HOME)}
    environment["SPARK_LOCAL_IP"] = "127.0.0.1"
    launcher = str(SPARK_HOME / "bin" / "spark-class")
    master = ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1"]
    commands = [[launcher, *master, "--port", str(port), "--webui-port", str(web)]]
    for number in range(2):
        worker = ["org.apache.spark.deploy.worker.Worker", "-c", "1", "-m", "1500m", "--host", "127.0.0.1"]
        commands.append([launcher, *worker, "-d", str(tmp_path / f"worker-{number}"), url])
    started = []
    try:
        for command in commands:
            log = (tmp_path / f"spark-{len(started)}.log").open("w")
            started.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            )
            if len(started) == 1:
                wait_for(port)
        yield url
    finally:
        for process in reversed(started):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)


def wait_for(port: int) -> None:
    for _ in range(240):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    raise AssertionError(f"nothing listens on {port}")


@pytest.mark.slow
def test_a_job_runs_on_a_standalone_master_with_two_workers(
    lake: Settings, shipped: tuple[Path, Path], standalone: str, tmp_path: Path
) -> None:
    wheel, python = shipped
    arguments = ["--properties-file", str(ROOT / "conf" / "spark" / "cluster.conf"), "--master", standalone]
    arguments += ["--executor-memory", "1g", "--py-files", str(wheel)]
    arguments += [str(ROOT / "jobs" / "mine_pairs.py"), "--study", "demo"]
    check_run(lake, *submit(python, lake.home, tmp_path, arguments))


def test_refusals_keep_their_exit_codes_through_spark_submit(
    lake: Settings, shipped: tuple[Path, Path], tmp_path: Path
) -> None:
    wheel, python = shipped
    base = ["--properties-file", str(ROOT / "conf" / "spark" / "test.conf"), "--py-files", str(wheel)]
    job = str(ROOT / "jobs" / "mine_pairs.py")
    code, out, err = submit(python, lake.home, tmp_path, [*base, job, "--study", "nobody"])
    assert code == 10
    assert "no study called 'nobody'" in out + err
    code, out, err = submit(
        python, lake.home, tmp_path, [*base, job, "--study", "demo", "--set", "horizon=3"]
    )
    assert code == 2
    assert "has no parameter 'horizon'" in out + err
    assert "horizon_days" in out + err
