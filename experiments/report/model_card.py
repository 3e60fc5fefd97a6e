"""The card that goes with a run's model: what it is, what it was learned from, by what right, what it is not for."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.products.base import CheckedProduct
from experiments.report.context import ReportContext

NOT_FOR = (
    "Deciding about a person. The patterns are order and frequency in groups, not causes and not prognoses.",
    "Looking for somebody: trying to recognise persons is forbidden to everybody who has this.",
    "Other populations, later years or other registers, before the patterns were found again there.",
)


def card(context: ReportContext, product: CheckedProduct, facts: Mapping[str, str]) -> str:
    """Markdown, made of a checked product and the run's own facts (its tags)."""
    record = product.record
    lines = [
        f"# {context.job} in study {context.study}",
        "",
        context.question,
        "",
        "## What it is",
        "",
        *(f"- {line}" for line in product.card),
        "",
        "## What it was learned from, and by what right",
        "",
        f"- {context.kind or 'Unknown'} data: {product.origin.get('Data', '')}; {context.persons:,} persons counted.",
        f"- Permit {facts.get('permit_id', '')}, purpose: {context.purpose or facts.get('purpose', 'not given')}.",
        f"- What was read is {context.scope.get('state', 'unaccounted')}: scope.json, "
        f"digest {context.scope.get('digest', '')}.",
        f"- No number stands for fewer than {record.threshold} persons; {record.cells_hidden:,} numbers were removed.",
        "",
        "## What it is not for",
        "",
        *(f"- {line}" for line in NOT_FOR),
        "",
        "## Again",
        "",
        f"    {context.command}",
        "",
    ]
    return "\n".join(lines)
