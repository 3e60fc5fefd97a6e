"""A run's published folder without a tracking store: checked patterns, report, pictures, disclosure record."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.products.patterns import Patterns
from experiments.report.model_card import card
from experiments.report.page import render
from experiments.report.summary import Story, tally
from experiments.run.publish import keep_checked, spread_of_z
from experiments.statistics.error_control.empirical_null import empirical_null
from lakehouse.governance.suppression.disclosure import Thresholds
from tests.support.pattern_tables import scope_like


def checked_folder(raw: Patterns, place: Path, question: str = "Which codes follow which?") -> Path:
    """The folder ``checked`` of a run with these raw patterns, as :func:`experiments.run.publish.conclude` leaves it."""
    made = place / "published"
    (made / "figures").mkdir(parents=True)
    checked, record = raw.check(Thresholds())
    null = empirical_null(spread_of_z(raw))
    pictures = raw.kind.draw(checked.table, checked.called(), spread_of_z(raw), null)
    for name, content in pictures.items():
        (made / "figures" / name).write_bytes(content)
    story = Story(
        question=question, persons=59_812, codes=40, null=null, scope=scope_like(), kind="synthetic",
        command="patternlake run mine_pairs --study demo", purpose="research", pattern=raw.meta.kind,
        attrition=[("everyone", 60_000), ("known sex", 59_997), ("in the period", 59_812)],
    )  # fmt: skip
    (made / "report.html").write_text(render(story, checked, record, tally(raw), pictures), "utf-8")
    (made / "disclosure.json").write_text(json.dumps(record.as_dict(), indent=2), "utf-8")
    checked.write(made / "patterns.parquet")
    (made / "model_card.md").write_text(card(story, checked, record, tally(raw), {}), "utf-8")
    keep_checked(made, place / "checked", checked)
    return place / "checked"
