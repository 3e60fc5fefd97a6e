"""The card that goes with a run's model: what it is, what it was learned from, by what right, what it is not for."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.products.patterns import Patterns
from experiments.report.summary import Story, Tally
from lakehouse.governance.suppression.disclosure import DisclosureRecord

NOT_FOR = (
    "Deciding about a person. The patterns are order and frequency in groups, not causes and not prognoses.",
    "Looking for somebody: trying to recognise persons is forbidden to everybody who has this.",
    "Other populations, later years or other registers, before the patterns were found again there.",
)


def card(
    story: Story, checked: Patterns, record: DisclosureRecord, counts: Tally, facts: Mapping[str, str]
) -> str:
    """Markdown, made of checked patterns and the run's own facts."""
    meta, kind = checked.meta, checked.kind
    permit = facts.get("permit_id", meta.permit)
    calibration = "no such check in this kind of job"
    if story.null:
        calibration = f"{story.null.sd:.2f} over {story.null.pairs:,} pairs (1 is ideal, 1.1 the limit)"
    lines = [
        f"# {meta.job} in study {meta.study}",
        "",
        story.question,
        "",
        "## What it is",
        "",
        f"- A set of {kind.many}: {counts.tested:,} tested, {counts.called:,} called (by {story.rule}), "
        f"{counts.replicated:,} of them found again in persons the search had not looked at.",
        f"- Window: {story.window}. Seed {meta.seed}, code {meta.code_version}.",
        f"- Spread of z where nothing is to be found: {calibration}.",
        "",
        "## What it was learned from, and by what right",
        "",
        f"- {story.kind or 'Unknown'} data: {meta.versions_text}; {story.persons:,} persons counted.",
        f"- Permit {permit}, purpose: {story.purpose or facts.get('purpose', 'not given')}.",
        f"- What was read is {story.scope.get('state', 'unaccounted')}: scope.json, digest {story.scope.get('digest', '')}.",
        f"- No number stands for fewer than {record.threshold} persons; {record.cells_hidden:,} numbers were removed.",
        "",
        "## What it is not for",
        "",
        *(f"- {line}" for line in NOT_FOR),
        "",
        "## Again",
        "",
        f"    {story.command}",
        "",
    ]
    return "\n".join(lines)
