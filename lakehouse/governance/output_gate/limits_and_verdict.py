"""What the output gate judges by and what it says: limits that only tighten, evidence, verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lakehouse.errors import ConfigurationError, DisclosureRefused
from lakehouse.governance.output_gate.reasons import REASONS, Rule
from lakehouse.settings import SMALL_CELL_FLOOR

TIGHTER_WHEN_LOWER = frozenset(
    {"dominance_share", "significant_digits", "most_rows", "exports_in_30_days", "membership_advantage"}
)
"""Limits that a permit makes stricter by lowering them; all others by raising them."""


@dataclass(frozen=True)
class Limits:
    """The coded floor of every threshold; :meth:`tightened` takes a stricter permit into account.

    ``persons``: fewest persons a number may stand for. ``dominance_share``: largest share of a sum that its two
    largest persons may have; ``prior_posterior``: how far, as a share, the second largest must be from knowing
    the largest. ``freedom``: residual degrees of freedom. ``significant_digits``: digits of a measured number.
    ``most_rows``: rows of one table. ``membership_advantage``: true less false positive rate of the best
    attacker who wants to know who was in a model's training data.
    """

    persons: int = SMALL_CELL_FLOOR
    dominance_share: float = 0.85
    prior_posterior: float = 0.10
    freedom: int = 10
    significant_digits: int = 6
    most_rows: int = 3_000_000
    exports_in_30_days: int = 25
    membership_advantage: float = 0.05

    def tightened(self, **limits: float | None) -> Limits:
        """The stricter of this and other limits, one by one; :class:`ConfigurationError` for a looser or unknown one."""
        changed: dict[str, Any] = {}
        for name, value in limits.items():
            if value is None:
                continue
            if name not in {each.name for each in fields(self)}:
                raise ConfigurationError(
                    f"There is no limit called '{name}'.", "", "See 'patternlake gate --help'."
                )
            mine = getattr(self, name)
            if value > mine if name in TIGHTER_WHEN_LOWER else value < mine:
                raise ConfigurationError(
                    f"{name} = {value} was asked for.",
                    f"The coded limit is {mine}: it may be tightened, never loosened.",
                    f"Ask for {mine} or something stricter.",
                )
            changed[name] = type(mine)(value)
        return replace(self, **changed)

    def quantile_needs(self, share: float) -> int:
        """Persons needed before a quantile leaves ``persons`` of them on its thinner side."""
        thin = min(share, 1 - share)
        return -int(-round(self.persons / thin, 6) // 1) if thin > 0 else 1 << 60


def reaches(values: Sequence[float], least: int = 0) -> NDArray[np.float64]:
    """How far each published number of a column may be from the one it was rounded from, (n,).

    A zero at the end is not written, so the digits are those of the whole column: as many decimals and as many
    significant digits as any of its numbers has, whichever says less; ``least`` of both are taken for granted.
    Zeros at the end of a whole number count as digits: where it cannot be told, the number is taken for exact.
    """
    texts = [f"{abs(value):.12f}".rstrip("0") for value in values if np.isfinite(value)]
    decimals = max([least, *(len(text.partition(".")[2]) for text in texts)])
    digits = max([least, *(len(text.replace(".", "").lstrip("0")) for text in texts)])
    with np.errstate(divide="ignore"):
        size = np.floor(np.log10(np.abs(np.asarray(values, dtype=float)))) + 1
    return np.asarray(0.5 * np.maximum(10.0**-decimals, 10.0 ** (size - digits)))


@dataclass(frozen=True)
class Finding:
    """One reason against an output: the rule, where it strikes, the evidence (for reviewers inside), how often."""

    rule: Rule
    output: str
    evidence: str
    places: int = 1
    threshold: float = SMALL_CELL_FLOOR

    def said(self, language: str = "en") -> str:
        """The reason in a reviewer's language, without the evidence."""
        return getattr(REASONS[self.rule], language).format(k=f"{self.threshold:g}")  # type: ignore[no-any-return]


@dataclass(frozen=True)
class GateRecord:
    """Evidence first, verdict after: ``passed`` only when nothing at all was found."""

    outputs: tuple[str, ...]
    findings: tuple[Finding, ...]
    limits: Limits = field(default_factory=Limits)

    @property
    def passed(self) -> bool:
        """Whether everything may leave."""
        return not self.findings

    @property
    def rules(self) -> set[Rule]:
        """The rules that struck."""
        return {finding.rule for finding in self.findings}

    def as_dict(self, *, evidence: bool) -> dict[str, Any]:
        """For JSON; ``evidence`` may hold small numbers and is for the reviewer inside alone."""
        findings = [
            {"output": found.output, "rule": found.rule.value, "places": found.places,
             "en": found.said("en"), "da": found.said("da"), **({"evidence": found.evidence} if evidence else {})}
            for found in self.findings
        ]  # fmt: skip
        verdict = "pass" if self.passed else "fail"
        return {
            "outputs": list(self.outputs), "findings": findings, "limits": asdict(self.limits), "verdict": verdict
        }  # fmt: skip

    def describe(self, language: str = "en") -> str:
        """For a terminal: each output with what stands against it."""
        against: dict[str, list[Finding]] = {name: [] for name in self.outputs}
        for finding in self.findings:
            against.setdefault(finding.output, []).append(finding)
        lines = []
        for name, found in against.items():
            lines.append(f"{'FAIL' if found else 'pass'}  {name}")
            for one in found:
                lines.append(f"      {one.said(language)} ({one.rule.value}, {one.places} x: {one.evidence})")
        return "\n".join(lines)

    def require(self) -> None:
        """Raise :class:`DisclosureRefused` when anything was found."""
        if self.findings:
            names = sorted({finding.output for finding in self.findings})
            raise DisclosureRefused(
                f"The gate does not let out {', '.join(names[:5])}{' and more' if len(names) > 5 else ''}.",
                " ".join(dict.fromkeys(finding.said() for finding in self.findings)),
                "Hide, merge or round what is named, or leave the output out, and ask again.",
            )


def gathered(rule: Rule, output: str, places: Iterable[str], threshold: float) -> list[Finding]:
    """One finding for all places of a rule in an output; none when there is no place."""
    listed = list(places)
    if not listed:
        return []
    shown = "; ".join(listed[:5]) + (f"; and {len(listed) - 5} more" if len(listed) > 5 else "")
    return [Finding(rule, output, shown, len(listed), threshold)]
