"""A run's published folder without a tracking store: checked products, report, pictures, disclosure record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from experiments.products.base import Calibration
from experiments.products.patterns import Patterns
from experiments.report.context import ReportContext
from experiments.run.publish import write_checked
from experiments.statistics.error_control.empirical_null import empirical_null
from lakehouse.governance.output_gate.limits_and_verdict import Limits
from lakehouse.governance.release.files import copied
from lakehouse.governance.suppression.disclosure import Thresholds
from tests.support.pattern_tables import scope_like


def checked_folder(raw: Patterns, place: Path, question: str = "Which codes follow which?") -> Path:
    """The folder ``checked`` of a run with these raw patterns, as :func:`experiments.run.publish.conclude` leaves it."""
    made = place / "published"
    made.mkdir(parents=True)
    calibration = Calibration(*empirical_null(raw.z_of_tested()))
    raw = replace(raw, search=replace(raw.search, codes=40, calibration=calibration))
    context = ReportContext(
        question=question, persons=59_812, scope=scope_like(), kind="synthetic", job=raw.meta.job, study=raw.meta.study,
        command="patternlake run mine_pairs --study demo", purpose="research", parameters=raw.meta.params,
        attrition=[("everyone", 60_000), ("known sex", 59_997), ("in the period", 59_812)],
    )  # fmt: skip
    checked = (raw.check(Thresholds()),)
    write_checked(made, context.shown(Thresholds()), checked, {})
    copied(made, place / "checked", Limits().significant_digits)
    described = {name: dict(about) for each in checked for name, about in each.described.items()}
    (place / "checked" / "outputs.json").write_text(json.dumps(described, indent=2), "utf-8")
    return place / "checked"
