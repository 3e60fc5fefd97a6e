"""Patterns in sentences: what was tested, what is significant, the strongest in words, whether the comparison holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from experiments.products.base import FEWEST_TESTS, NARROWEST, WIDEST, Calibration, Tally, Verdict
from lakehouse.governance.suppression.disclosure import DisclosureRecord

if TYPE_CHECKING:
    from experiments.products.pattern_kinds import Kind
    from experiments.products.search import Search


def summary(kind: Kind, search: Search, tally: Tally, significant: pa.Table) -> tuple[str, ...]:
    """The summary in three sentences; ``significant`` is checked and ordered by strength."""
    tested = f"{tally.tested:,} {kind.many} of {search.codes:,} codes were tested for whether {kind.asked}"
    fair = (calibration_sentence(search.calibration, kind),) if search.calibration else ()
    if not tally.significant:
        return (f"{tested}.", f"None is significant (by {search.rule}).", *fair)
    verb = "is" if tally.significant == 1 else "are"
    found = f"{tested}; {tally.significant:,} {verb} significant (by {search.rule})"
    judged = (
        significant.num_rows == 0 or significant.column("replicated_person").null_count < significant.num_rows
    )
    if judged:
        again = "was" if tally.replicated == 1 else "were"
        found += (
            f", and {tally.replicated:,} of them {again} found again in a locked half of the persons that the "
            "search had not looked at"
        )
    return (f"{found}.", strongest_sentence(significant, kind, judged), *fair)


def calibration_sentence(calibration: Calibration, kind: Kind) -> str:
    """Whether the comparison was fair, in a sentence."""
    verdict = calibration.verdict
    if verdict is Verdict.CANNOT_BE_TOLD:
        return (
            f"Whether the comparison is fair cannot be told: only {calibration.pairs:,} of the {kind.many} compared have "
            "five or more expected."
        )
    ending = "as it should be" if verdict is Verdict.FAIR else str(verdict)
    return (
        "The comparison itself was checked on pairs that have nothing to do with each other: the standard deviation "
        f"of their z is {calibration.sd:.2f}, {ending} (1 is ideal)."
    )


def strongest_sentence(significant: pa.Table, kind: Kind, judged: bool) -> str:
    """The first significant pattern that is not flagged, and replicated where that was judged, in words."""
    for row in significant.slice(0, 500).to_pylist():
        again = row["replicated_person"] or not judged
        if again and not row["flags"] and all(row[name] is not None for name in kind.needs):
            return f"The strongest of these: {kind.sentence(row)}."
    return f"None of those found{' again' if judged else ''} can be shown in words."


def warning(calibration: Calibration | None) -> str:
    """What the first lines say when the comparison is not calibrated; empty when it is, or has no z to calibrate."""
    verdict = calibration.verdict if calibration else Verdict.FAIR
    if calibration is None or verdict is Verdict.FAIR:
        return ""
    if verdict is Verdict.CANNOT_BE_TOLD:
        return (
            f"Nearly nothing could be compared: {calibration.pairs:,} comparisons expect five or more, and "
            f"{FEWEST_TESTS} are needed to tell whether they are fair. That nothing is significant means nothing here."
        )
    if verdict is Verdict.TOO_NARROW:
        return (
            "The comparison is too narrow: over pairs that carry no effect, the standard deviation of z is "
            f"{calibration.sd:.2f} (1 is ideal, {NARROWEST} the limit). Many of the persons compared are the same, so "
            "effects can be missed. That a pair is not significant means little here."
        )
    where = (
        ""
        if calibration.sd > WIDEST
        else f" among tests of one size (all of them together: {calibration.sd:.2f})"
    )
    return (
        "The comparison is not calibrated: over pairs that carry no effect, the standard deviation of z is "
        f"{calibration.widest:.2f}{where} (1 is ideal, {WIDEST} the limit). Something that differs between persons is not "
        "matched. Judge by the q-values against the empirical null (column q_empirical); the others are too small."
    )


def hidden_sentence(record: DisclosureRecord, tally: Tally, shown: int, kind: Kind) -> str:
    """What was hidden of a table of patterns; ``shown`` of the significant ones are in the checked table."""
    if not record.hidden:
        return (
            f"Nothing: no number behind these {record.pairs:,} {kind.many} stands for fewer than "
            f"{record.threshold} persons."
        )
    sentence = (
        f"Of {record.pairs:,} tested {kind.many}, {record.pairs_whole:,} are shown with every number. In the others, "
        f"{record.cells_hidden:,} numbers were removed, because they stand for fewer than {record.threshold} persons or "
        "would let a reader work out one that does."
    )
    lost = tally.significant - shown
    if lost > 0:
        verb = "is" if lost == 1 else "are"
        sentence += f" {lost:,} of the significant {kind.many} {verb} among them and not shown."
    return sentence


def card_lines(kind: Kind, search: Search, tally: Tally, seed: int, code: str) -> tuple[str, ...]:
    """What a model made of the patterns is, line by line."""
    calibration = "no such check in this kind of job"
    if search.calibration:
        calibration = (
            f"{search.calibration.sd:.2f} over {search.calibration.pairs:,} pairs (1 is ideal, 1.1 the limit)"
        )
    return (
        f"A set of {kind.many}: {tally.tested:,} tested, {tally.significant:,} significant (by {search.rule}), "
        f"{tally.replicated:,} of them found again in persons the search had not looked at.",
        f"Window: {search.window}. Seed {seed}, code {code}.",
        f"Standard deviation of z where nothing is to be found: {calibration}.",
    )
