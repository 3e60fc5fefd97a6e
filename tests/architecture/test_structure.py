"""The rules that hold the project together, each an "only": who may import what, and where things may happen."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    [*ROOT.glob("lakehouse/**/*.py"), *ROOT.glob("experiments/**/*.py"), *ROOT.glob("jobs/*.py")]
)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_mlflow_is_imported_in_one_folder() -> None:
    importing = [name(path) for path in SOURCES if "mlflow" in imported(path)]
    assert importing
    assert all(path.startswith("experiments/tracking/") for path in importing)


def test_arrow_batches_are_mapped_where_rows_are_read_and_where_they_are_counted() -> None:
    assert [name(path) for path in SOURCES if ".mapInArrow" in path.read_text()] == [
        "experiments/execution/over_spark.py",
        "lakehouse/delta/write.py",
    ]


INTERNALS = "lakehouse/spark_internals/"
PUBLIC = {
    "pyspark", "pyspark.pandas", "pyspark.sql", "pyspark.sql.functions", "pyspark.sql.types", "delta.tables",
    "pyspark.sql.pandas.functions",
}  # fmt: skip
"""What PySpark and Delta document as their interface, as far as it is used; the last is where ``pandas_udf`` has types."""

OWN = {"self", "cls"}


def behind_the_interface(path: Path) -> list[str]:
    """Uses of what PySpark, Delta and Py4J do not document: their further modules, and underscored names of theirs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            modules = []
        found += [
            m for m in modules if m.partition(".")[0] in ("pyspark", "delta", "py4j") and m not in PUBLIC
        ]
        if isinstance(node, ast.Attribute):
            private = node.attr.startswith("_j") or node.attr in ("_gateway", "_sc", "_sparkSession")
            of_ours = isinstance(node.value, ast.Name) and node.value.id in OWN
            of_workers = node.attr == "environment" and ast.unparse(node.value).endswith("sparkContext")
            if (private and not of_ours) or of_workers:
                found.append(f".{node.attr}")
    return found


def test_spark_is_used_behind_its_interface_in_one_folder() -> None:
    used = {name(path): found for path in SOURCES if (found := behind_the_interface(path))}
    assert {path: found for path, found in used.items() if not path.startswith(INTERNALS)} == {}
    assert used  # the folder is there, and this test sees it


def test_no_text_outside_that_folder_reaches_for_the_jvm() -> None:
    reach = re.compile(r"\._(jvm|jdf|jsc|jsparkSession|gateway|jreader)\b|py4j")
    elsewhere = [path for path in SOURCES if not name(path).startswith(INTERNALS)]
    assert [name(path) for path in elsewhere if reach.search(path.read_text(encoding="utf-8"))] == []


def test_conf_is_read_in_one_module() -> None:
    readers = [name(path) for path in SOURCES if "tomllib" in imported(path)]
    assert readers == ["lakehouse/settings.py"]


def test_jobs_open_no_delta_and_no_session() -> None:
    for path in ROOT.glob("jobs/*.py"):
        assert not imported(path) & {"pyspark", "delta", "mlflow"}, path.name


def test_a_job_is_one_file_of_at_most_sixty_lines() -> None:
    jobs = list(ROOT.glob("jobs/*.py"))
    assert jobs
    assert not (ROOT / "jobs" / "__init__.py").exists()
    for path in jobs:
        assert len(path.read_text().splitlines()) <= 60, path.name


def test_job_names_shadow_no_module() -> None:
    installed = set(metadata.packages_distributions()) | set(sys.stdlib_module_names)
    assert not {path.stem for path in ROOT.glob("jobs/*.py")} & installed


def test_no_installed_package_claims_our_names() -> None:
    owners = metadata.packages_distributions()
    for ours in ("lakehouse", "experiments"):
        assert set(owners.get(ours, ["patternlake"])) == {"patternlake"}
    assert "jobs" not in owners
    assert "conf" not in owners


def test_every_file_says_what_it_is_for() -> None:
    without = [name(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert without == []


def test_no_function_is_longer_than_sixty_lines() -> None:
    long = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                start = first.end_lineno if documented and first.end_lineno else node.lineno
                if (node.end_lineno or start) - start > 60:
                    long.append(f"{name(path)}:{node.name}")
    assert long == []


def test_there_is_nothing_left_to_do() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    ours = [ROOT / line for line in tracked.split() if line.endswith((".py", ".conf", ".toml", "Makefile"))]
    found = [name(p) for p in ours if p.exists() and p != Path(__file__) and marks.search(p.read_text())]
    assert found == []


def test_the_lock_file_has_exact_versions_and_no_address() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    for line in pins:
        assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^ ]+( ; .+)?", line), line
    assert "://" not in "\n".join(lines)


def test_nothing_committed_names_a_registry_or_this_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = ("/ro" + "ot/", "pypi." + "org", "repo1." + "maven", "/wo" + "rk/")
    for line in tracked.split():
        path = ROOT / line
        if path.exists() and path.suffix not in {".png"}:
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not [word for word in words if word in text], line


CORRECTNESS = (
    "spark.jars.packages",
    "spark.sql.extensions",
    "spark.sql.catalog.spark_catalog",
    "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled",
    "spark.sql.legacy.javaCharsets",
    "spark.sql.session.timeZone",
    "spark.databricks.delta.optimizeMetadataQuery.enabled",
    "spark.io.encryption.enabled",
)


@pytest.mark.parametrize("profile", ["local", "test", "cluster"])
def test_every_spark_profile_agrees_on_correctness(profile: str) -> None:
    from lakehouse.settings import read_properties

    reference = read_properties(ROOT / "conf" / "spark" / "local.conf")
    properties = read_properties(ROOT / "conf" / "spark" / f"{profile}.conf")
    for key in CORRECTNESS:
        assert properties[key] == reference[key], key


def test_delta_is_pinned_to_the_version_whose_jars_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = next(line for line in project["dependencies"] if line.startswith("delta-spark"))
    coordinates = (ROOT / "conf" / "spark" / "local.conf").read_text()
    assert f":{pinned.partition('==')[2]}" in coordinates


def test_help_comes_without_spark_and_within_a_second() -> None:
    code = (
        "import sys, time; began = time.perf_counter()\n"
        "from typer.testing import CliRunner\n"
        "from experiments.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(sorted({'pyspark', 'mlflow', 'numpy', 'pandas', 'numba'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"
