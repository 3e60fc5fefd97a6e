"""The tutorial as a newcomer runs it: every command, in order, in an empty home; then the job with a product of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def blocks() -> list[str]:
    """The command blocks of the tutorial."""
    return re.findall(r"```console\n(.*?)```", (ROOT / "docs/tutorial.md").read_text("utf-8"), re.DOTALL)


def product_of_the_pages() -> str:
    """The job of ``docs/how-to-product.md`` with its product."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "docs/how-to-product.md").read_text("utf-8"), re.DOTALL)
    assert found
    return found.group(1)


@pytest.mark.slow
def test_the_tutorial_runs_from_the_first_command_to_the_last(tmp_path: Path) -> None:
    """One shell, since a later block uses a variable of an earlier one; 2,000 persons; the page server aside."""
    steps = [block for block in blocks() if "patternlake ui" not in block]
    made = "patternlake demo --persons 2000"
    script = "\n".join(steps).replace("make demo PERSONS=20000", made).replace(". .venv/bin/activate", "true")
    environment = {
        "HOME": str(tmp_path / "home"), "PATTERNLAKE_HOME": str(tmp_path / "home" / "lake"), "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # fmt: skip
    (tmp_path / "home").mkdir()
    (tmp_path / "count_residents.py").write_text(product_of_the_pages(), "utf-8")
    script += "\npatternlake run count_residents.py --study asthma\n"
    began = time.monotonic()
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    said = run.stdout
    print(f"the tutorial took {time.monotonic() - began:.0f} s")
    for word in ("Done in", "persons about", "accounted", "is approved", "holds: ", "The ledger holds"):
        assert word in said, word
    released = next((tmp_path / "released").iterdir())
    assert (released / "files" / "report.html").is_file() and (released / "release.json").is_file()
    table = next((tmp_path / "home" / "lake" / "results" / "asthma").glob("*/checked/residents.parquet"))
    page = (table.parents[1] / "report.html").read_text("utf-8")
    assert "municipalities have enough persons to be shown" in page and "Persons by municipality" in page
