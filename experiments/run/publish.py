"""From a job's products to its record: they stay in the study as they are; what is checked goes to MLflow and a page."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.findings import Findings
from experiments.products.base import Audience, CheckedProduct, Product
from experiments.report.context import ReportContext, summary
from experiments.report.model_card import card
from experiments.report.page import render
from experiments.run.hypothesis_ledger import over_everything
from experiments.tracking.metrics import shared_metrics
from lakehouse.governance.output_gate.folder import open_folder
from lakehouse.governance.output_gate.gate import judge
from lakehouse.governance.output_gate.limits_and_verdict import Limits
from lakehouse.governance.release.files import copied
from lakehouse.governance.suppression.totals import assert_clean

if TYPE_CHECKING:
    from experiments.tracking.run_record import RunRecord

ACCOUNTED = "accounted"


@dataclass(frozen=True)
class Outcome:
    """What a finished run came to; ``report`` is None when its results were withheld."""

    run_id: str
    state: str
    products: tuple[Product, ...]
    checked: tuple[CheckedProduct, ...] = ()
    report: Path | None = None


def conclude(run: RunRecord, findings: Findings, context: ReportContext) -> Outcome:
    """Store, check, draw, write and log everything a finished job leaves.

    Products as they are and the exact scope go to the run's folder in the study. When every read is accounted for, what
    is checked of them follows in MLflow, with page and model, and a copy in the folder ``checked`` for the release desk;
    otherwise only the scope and a note why nothing else does. Of a product about single persons nothing follows anywhere.
    """
    products = tuple(_kept(run, product) for product in findings.products)
    run.params(context.parameters)
    run.made |= {"result": digest_of(products), "products": {each.name: each.kind for each in products}}
    run.store_scope(context.scope, context.totals)
    context = replace(
        context,
        kind=context.kind or run.facts.get("kind", ""),
        run_id=run.run_id,
        code_version=run.facts.get("code_version", ""),
    ).shown(run.thresholds)
    if run.state != ACCOUNTED:
        run.withhold()
        run.issue_receipt("withheld")
        return Outcome(run.run_id, run.state, products)
    checked = tuple(
        product.check(run.thresholds) for product in products if product.audience is Audience.AGGREGATE
    )
    run.metrics(_metrics(context, checked))
    report = _publish(run, context, checked)
    for each in checked:
        if each.model is not None:
            run.model(each.model)
    run.tag(release_state="checked", product_kind=" ".join(product.kind for product in products))
    if judged := [each.calibration for each in checked if each.calibration]:
        run.tag(calibrated=str(all(each.calibrated for each in judged)).lower())
    warnings = [each.warning for each in checked if each.warning]
    run.describe(
        f"{' '.join([*warnings, *summary(context, checked)])}\n\n{where_to_look(run, products, checked)}"
    )
    run.issue_receipt("checked")
    return Outcome(run.run_id, run.state, products, checked, report)


def _kept(run: RunRecord, product: Product) -> Product:
    """A product as it lies in the study: named after its run, judged over all that the study tested, stored."""
    made = product.of_run(run.run_id, run.facts.get("code_version", ""))
    made = over_everything(run.folder.parent, made)
    for path in made.write(run.folder):
        path.chmod(0o600)
    return made


def digest_of(products: Sequence[Product]) -> str:
    """What a replay must find again: the digest of the one product, or one over those of all."""
    digests = [product.digest() for product in products]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _metrics(context: ReportContext, checked: Sequence[CheckedProduct]) -> dict[str, float]:
    """The metrics that mean the same in every job, and those of the products."""
    tallies = [each.tally for each in checked if each.tally]
    judged = next((each.calibration for each in checked if each.calibration), None)
    tested, significant, replicated = (
        (sum(each) for each in zip(*tallies, strict=True)) if tallies else (0, None, None)
    )
    shared = shared_metrics(
        persons=context.persons,
        tests=tested,
        significant=significant,
        replicated=replicated,
        shown=sum(each.record.pairs_whole for each in checked) if checked else None,
        hidden=sum(each.record.cells_hidden for each in checked) if checked else None,
        calibration=judged,
        seconds=context.seconds,
    )
    return {**{name: value for each in checked for name, value in each.metrics.items()}, **shared}


def _publish(run: RunRecord, context: ReportContext, checked: Sequence[CheckedProduct]) -> Path:
    """Write what is checked into one folder, look through it once more, keep it for the release desk, and log it.

    The path of the page in the run's folder.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        page = write_checked(folder, context, checked, run.facts)
        columns = sorted({column for each in checked for column in each.person_columns})
        assert_clean(folder, columns, run.thresholds)
        kept = run.folder / "checked"
        copied(folder, kept, Limits().significant_digits)
        described = {name: dict(about) for each in checked for name, about in each.described.items()}
        (kept / "outputs.json").write_text(json.dumps(described, indent=2), "utf-8")
        if run.facts.get("kind") == "real":
            through_the_gate(run)
        run.publish(folder)
    report = run.folder / "report.html"
    report.write_text(page, "utf-8")
    return report


def write_checked(
    folder: Path, context: ReportContext, checked: Sequence[CheckedProduct], facts: Mapping[str, str]
) -> str:
    """Everything of a run that may be shown, as files of a folder; the page as it was written.

    ``facts`` are the run's tags, for the model card.
    """
    for each in checked:
        for name, write in each.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write(folder / name)
        if each.card:
            (folder / "model_card.md").write_text(card(context, each, facts), "utf-8")
    page = render(context, checked)
    (folder / "report.html").write_text(page, "utf-8")
    records = [each.record.as_dict() for each in checked]
    hidden = json.dumps(records[0] if len(records) == 1 else records, indent=2, ensure_ascii=False)
    (folder / "disclosure.json").write_text(hidden, "utf-8")
    return page


def through_the_gate(run: RunRecord) -> None:
    """On a lake of real persons not even MLflow gets what the release desk would not let out."""
    known = {run.run_id, run.scope_digest, run.facts.get("permit_hash", "")} - {""}
    opened = open_folder(run.folder / "checked", known)
    verdict = judge(opened.outputs, Limits().tightened(persons=run.thresholds.persons))
    run.tag(gate_verdict="pass" if verdict.passed else "fail")
    verdict.require()


def where_to_look(run: RunRecord, products: Sequence[Product], checked: Sequence[CheckedProduct]) -> str:
    """What a reviewer asks next, below the summary on the run's page."""
    facts = run.facts
    counted = [f"{label}: {value}" for each in checked for label, value in each.figures]
    named = [product.name for product in products if product.audience is Audience.NAMED]
    inside = f" Inside the study alone, about single persons: {', '.join(named)}." if named else ""
    files = sorted(
        {name for each in checked for name in (*each.described, *(["model_card.md"] if each.card else []))}
    )
    return (
        f"Permit {facts.get('permit_id', '')}, purpose: {facts.get('purpose', '')}. What was read is **{run.state}** "
        f"({run.scope_digest}). {'; '.join(counted)}. Under Artifacts: report.html (the page), scope.json (what was "
        f"read), disclosure.json (what was hidden){''.join(f', {name}' for name in files)}.{inside} Nothing has left: that "
        "takes `patternlake release request`."
    )
