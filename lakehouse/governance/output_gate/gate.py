"""The output gate: everything a run wants out is judged as a whole, evidence first, verdict after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from lakehouse.governance.output_gate.acro_opinion import second_opinion
from lakehouse.governance.output_gate.limits_and_verdict import Finding, GateRecord, Limits, gathered
from lakehouse.governance.output_gate.memory import Counts, Memory, Persons
from lakehouse.governance.output_gate.reasons import Rule
from lakehouse.governance.output_gate.tables import CountTable


class Output(Protocol):
    """Anything that may leave: it can be judged by itself."""

    @property
    def name(self) -> str:
        """What a reviewer calls it."""

    def judge(self, limits: Limits) -> list[Finding]:
        """Everything against letting it out; empty when there is nothing."""


def judge(
    outputs: Iterable[Output],
    limits: Limits,
    *,
    memory: Memory | None = None,
    study: str = "",
    counts: Counts | None = None,
    population: Persons | None = None,
    sets: Mapping[str, Persons] | None = None,
    whom: str = "",
    sized: bool = True,
    exports_lately: int = 0,
) -> GateRecord:
    """The verdict on outputs that want to leave together.

    Each is judged by itself; then, with ``memory``, what they say together (``counts`` by definition, groups of
    persons, ``whom``: the population's definition, ``sized``: its own number is among what leaves) is set against
    everything released before.
    ``exports_lately`` are the study's releases of the last 30 days.
    """
    names: list[str] = []
    found: list[Finding] = []
    for output in outputs:
        names.append(output.name)
        found += output.judge(limits)
        if isinstance(output, CountTable):
            found += second_opinion(output, limits)
    if memory is not None:
        found += memory.judge("all outputs", study, counts or {}, limits, population, sets, whom, sized=sized)
    if exports_lately >= limits.exports_in_30_days:
        told = [f"{exports_lately} releases in 30 days"]
        found += gathered(Rule.SALAMI, "all outputs", told, limits.exports_in_30_days)
    return GateRecord(tuple(names), tuple(found), limits)


def verdict(outputs: Sequence[Output], **limits: float) -> GateRecord:
    """The verdict at the coded limits, tightened where a caller asks for it."""
    return judge(outputs, Limits().tightened(**limits))
