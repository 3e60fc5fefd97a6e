"""What a report says beside the products: question, persons, permit and scope, and how to do it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from experiments.products.base import CheckedProduct
from lakehouse.governance.suppression.disclosure import Thresholds
from lakehouse.governance.suppression.totals import clean_scope, differ_by_few, rounded


@dataclass(frozen=True)
class ReportContext:
    """What is known of a run whatever it found.

    ``persons`` were counted; ``kind`` is that of the lake; ``attrition`` holds (rule, persons left); ``command`` repeats
    the run; ``parameters`` are all the job has.
    """

    question: str
    persons: int
    command: str
    scope: Mapping[str, Any]
    job: str = ""
    study: str = ""
    attrition: Sequence[tuple[str, int]] = ()
    purpose: str = ""
    kind: str = ""
    seconds: float | None = None
    remarks: Sequence[str] = field(default_factory=tuple)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    code_version: str = ""

    @property
    def totals(self) -> list[int]:
        """Persons the page would name."""
        return [self.persons, *(persons for _, persons in self.attrition)]

    def shown(self, thresholds: Thresholds) -> ReportContext:
        """The context as it may be shown: totals that differ by 1 to k−1 persons are rounded down, scope included."""
        read = [entry.get("persons") for entry in self.scope.get("reads", ())]
        scope = clean_scope(self.scope, thresholds, self.totals)
        if not differ_by_few([*self.totals, *read], thresholds):
            return replace(self, scope=scope)
        attrition = [(rule, rounded(persons, thresholds)) for rule, persons in self.attrition]
        return replace(self, scope=scope, attrition=attrition, persons=rounded(self.persons, thresholds))


def summary(context: ReportContext, products: Sequence[CheckedProduct]) -> list[str]:
    """The summary in a few sentences: each product's own, the first with the persons it is of."""
    sentences: list[str] = []
    for product in products:
        if product.summary:
            first, *others = product.summary
            sentences += [f"In the treatment data of {context.persons:,} persons, {first}", *others]
    return sentences or [f"The treatment data of {context.persons:,} persons were read."]
