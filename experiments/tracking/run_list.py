"""The runs of a home, found by study, permit, state and job; read from the results' folders, without MLflow or Spark."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from experiments.tracking.metrics import SIGNIFICANT
from experiments.tracking.process_end import alive
from experiments.tracking.run_file import kept
from experiments.tracking.run_folders import runs

if TYPE_CHECKING:
    from lakehouse.settings import Settings


class ListedRun(NamedTuple):
    """One run in a list.

    ``state`` says whether its reads are accounted for (``open`` until that is known), ``outcome`` what became of its
    results (checked, withheld, failed, running, inside the study). ``significant`` is None where nothing was tested.
    """

    run: str
    started: str
    job: str
    study: str
    permit: str
    state: str
    outcome: str
    significant: int | None
    question: str


def listed(
    settings: Settings,
    *,
    study: str | None = None,
    permit: str | None = None,
    state: str | None = None,
    job: str | None = None,
) -> Iterator[ListedRun]:
    """Runs that fit everything that is given, newest first; ``state`` fits a run's state or its outcome."""
    for folder in runs(settings, study):
        told = kept(folder)
        tags: Mapping[str, str] = told.get("tags", {})
        if not told:
            continue
        found = ListedRun(
            folder.name, told["started"], told["job"], told["study"], tags.get("permit_id", ""),
            tags.get("scope_state", "open"), _outcome(tags), None, told["question"],
        )  # fmt: skip
        wanted = (study in (None, found.study), permit in (None, found.permit), job in (None, found.job))
        if all(wanted) and state in (None, found.state, found.outcome):
            yield found._replace(significant=_significant(folder, told["metrics"]))


def _outcome(tags: Mapping[str, str]) -> str:
    """What became of a run's results; a run whose process is gone without a word counts as failed."""
    if "failure_reason" in tags:
        return "failed"
    if tags.get("scope_state") == "open" and tags.get("process_host") == platform.node():
        return "running" if alive(int(tags.get("process_id", "0"))) else "failed"
    return tags.get("release_state", "inside the study")


def _significant(folder: Path, metrics: Mapping[str, float]) -> int | None:
    """How many hypotheses were significant: the metric, or counted in the table of a run that has no such metric."""
    if SIGNIFICANT in metrics:
        return int(metrics[SIGNIFICANT])
    table = folder / "patterns.parquet"
    if not table.is_file():
        return None
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if "called" not in pq.read_schema(table).names:
        return None
    return int(pc.sum(pq.read_table(table, columns=["called"]).column("called")).as_py() or 0)
