"""From a job's raw patterns to its record: raw stays in the study, checked goes to MLflow and a page."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from experiments.products.kinds import Kind
from experiments.products.patterns import Patterns
from experiments.report.model_card import card
from experiments.report.page import Story, Tally, answer, render, tally, warning
from experiments.run.hypothesis_ledger import over_everything
from experiments.run.result_hash import table_hash
from lakehouse.governance.output_gate.folder import open_folder
from lakehouse.governance.output_gate.gate import judge
from lakehouse.governance.output_gate.model import Limits
from lakehouse.governance.release.files import copied
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Thresholds
from lakehouse.governance.suppression.totals import assert_clean, clean_scope, differ_by_few, rounded

if TYPE_CHECKING:
    from experiments.tracking.run_record import RunRecord

ACCOUNTED = "accounted"


@dataclass(frozen=True)
class Outcome:
    """What a finished run came to; ``report`` is None when its results were withheld."""

    run_id: str
    state: str
    counts: Tally
    record: DisclosureRecord | None
    report: Path | None


def conclude(
    run: RunRecord, raw: Patterns, story: Story, metrics: Mapping[str, float] | None = None
) -> Outcome:
    """Store, check, draw, write and log everything a finished job leaves.

    Raw patterns and the exact scope go to the run's folder in the study. When every read is accounted for,
    checked patterns, pictures, page and model follow in MLflow, and a copy in the folder ``checked`` for the release
    desk; otherwise only the scope and a note why
    nothing else does.
    """
    made_by = replace(raw.meta, run_id=run.run_id, code_version=run.facts.get("code_version", ""))
    raw = over_everything(run.folder.parent, Patterns(raw.table, made_by))
    story = replace(story, pattern=raw.meta.kind)
    raw.write(run.folder / "patterns.parquet")
    run.params(raw.meta.params)
    run.made |= {"result": table_hash(raw.table)}
    run.store_scope(story.scope, totals(story))
    story = shown(replace(story, kind=story.kind or run.facts.get("kind", "")), run.thresholds)
    counts = tally(raw)
    if run.state != ACCOUNTED:
        run.withhold()
        run.issue_receipt("withheld")
        return Outcome(run.run_id, run.state, counts, None, None)
    checked, record = raw.check(run.thresholds)
    called = checked.called()
    run.metrics({**_figures(raw, story, counts, record), **(metrics or {})})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pictures = raw.kind.draw(checked.table, called, spread_of_z(raw), story.null)
        (folder / "figures").mkdir()
        for name, content in pictures.items():
            (folder / "figures" / name).write_bytes(content)
        page = render(story, checked, record, counts, pictures)
        (folder / "report.html").write_text(page, "utf-8")
        (folder / "disclosure.json").write_text(
            json.dumps(record.as_dict(), indent=2, ensure_ascii=False), "utf-8"
        )
        checked.write(folder / "patterns.parquet")
        (folder / "model_card.md").write_text(card(story, checked, record, counts, run.facts), "utf-8")
        assert_clean(folder, raw.kind.person_counts, run.thresholds)
        keep_checked(folder, run.folder / "checked", checked)
        if run.facts.get("kind") == "real":
            through_the_gate(run)
        run.publish(folder)
    report = run.folder / "report.html"
    report.write_text(page, "utf-8")
    if called.num_rows and raw.kind.model:
        run.model(checked, raw.kind.model)
    run.tag(release_state="checked", pattern_kind=raw.meta.kind)
    if story.null:
        run.tag(calibrated=str(story.null.calibrated).lower())
    told = " ".join(part for part in (warning(story.null), *answer(story, counts, called)) if part)
    run.answer(f"{told}\n\n{where_to_look(run, counts, raw.kind)}")
    run.issue_receipt("checked")
    return Outcome(run.run_id, run.state, counts, record, report)


def through_the_gate(run: RunRecord) -> None:
    """On a lake of real persons not even MLflow gets what the release desk would not let out."""
    known = {run.run_id, run.scope_digest, run.facts.get("permit_hash", "")} - {""}
    opened = open_folder(run.folder / "checked", known)
    verdict = judge(opened.outputs, Limits().tightened(persons=run.thresholds.persons))
    run.tag(gate_verdict="pass" if verdict.passed else "fail")
    verdict.require()


def where_to_look(run: RunRecord, counts: Tally, kind: Kind) -> str:
    """What a reviewer asks next, below the answer on the run's page."""
    facts = run.facts
    return (
        f"Permit {facts.get('permit_id', '')}, purpose: {facts.get('purpose', '')}. What was read is **{run.state}** "
        f"({run.scope_digest}). {counts.called:,} {kind.many} called, {counts.replicated:,} replicated. Under Artifacts: "
        "report.html (the page), scope.json (what was read), model_card.md, disclosure.json (what was hidden), "
        "patterns.parquet. Nothing has left: that takes `patternlake release request`."
    )


def keep_checked(folder: Path, kept: Path, checked: Patterns) -> None:
    """What was published, kept in the study for the release desk, with a description of its table."""
    copied(folder, kept, Limits().significant_digits)
    about = {"kind": "rows", "pattern": checked.kind.name, "counts": list(checked.kind.person_counts)}
    (kept / "outputs.json").write_text(json.dumps({"patterns.parquet": about}, indent=2), "utf-8")


def _figures(raw: Patterns, story: Story, counts: Tally, record: DisclosureRecord) -> dict[str, float]:
    """Numbers to compare runs of one kind by."""
    word = f"{raw.meta.kind}s"
    figures: dict[str, float] = {
        f"{word}.tested": counts.tested,
        f"{word}.called": counts.called,
        f"{word}.replicated": counts.replicated,
        f"{word}.shown_whole": record.pairs_whole,
    }
    if story.null:
        figures |= {
            "calibration.sd_of_z": story.null.sd,
            "calibration.mean_of_z": story.null.mean,
            "calibration.pairs": story.null.pairs,
        }
    return figures


def totals(story: Story) -> list[int]:
    """Persons the page would name."""
    return [story.persons, *(persons for _, persons in story.attrition)]


def shown(story: Story, thresholds: Thresholds) -> Story:
    """The story as it may be told: totals that differ by 1 to k−1 persons are rounded down, scope included."""
    named = totals(story)
    read = [entry.get("persons") for entry in story.scope.get("reads", ())]
    scope = clean_scope(story.scope, thresholds, named)
    if not differ_by_few([*named, *read], thresholds):
        return replace(story, scope=scope)
    attrition = [(rule, rounded(persons, thresholds)) for rule, persons in story.attrition]
    return replace(story, scope=scope, attrition=attrition, persons=rounded(story.persons, thresholds))


def spread_of_z(raw: Patterns) -> np.ndarray:
    """z of every tested pair with at least five expected."""
    table = raw.table
    wanted = pc.and_(pc.fill_null(table.column("tested"), False), pc.greater_equal(table.column("E"), 5.0))
    return np.asarray(pc.drop_null(table.filter(wanted).column("z")))
