"""Columns of the result table that every job shares: stored type, unit, meaning, and what each lets a reader know."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from lakehouse.governance.suppression.disclosure import Fact

NAME = pa.dictionary(pa.int32(), pa.string())
WORD = pa.dictionary(pa.int8(), pa.string())
NAMES = pa.list_(pa.string())


@dataclass(frozen=True)
class PatternColumn:
    """One column of the result table: stored type, unit, meaning, and what a reader learns from it."""

    name: str
    type: pa.DataType
    unit: str
    about: str
    fact: Fact = Fact.KEY


def column(name: str, type_: pa.DataType, unit: str, about: str, fact: Fact = Fact.KEY) -> PatternColumn:
    """A column, for the declarations below and those of kinds."""
    return PatternColumn(name, type_, unit, about, fact)


_I, _F, _D, _B = pa.int32(), pa.float64(), pa.float32(), pa.bool_()

COLUMNS: tuple[PatternColumn, ...] = (
    column("kind", WORD, "", "What the row is about; each kind has a file in experiments/analyses."),
    column("code_a", NAME, "", "First code, system//code."),
    column("code_b", NAME, "", "Second code, system//code."),
    column("text_a", NAME, "", "Name of the first code."),
    column("text_b", NAME, "", "Name of the second code."),
    column("items", NAMES, "", "Codes of a row that is no pair: steps in order, or members of a set."),
    column("texts", NAMES, "", "Names of the items, in their order."),
    column("window", WORD, "days", "Days after the first code in which the second one counts, from-to."),
    column("n_a", _I, "persons", "Persons with the first code.", Fact.MARGIN),
    column("n_b", _I, "persons", "Persons with the second code.", Fact.MARGIN),
    column("n_person", _I, "persons", "Persons with both within the window of each other.", Fact.TOTAL),
    column("n_before", _I, "persons", "Of these, persons with the first code first.", Fact.OUTCOME),
    column("n_same_day", _I, "persons", "Of these, persons with both first on the same day.", Fact.SAME_DAY),
    column("n_after", _I, "persons", "Of these, persons with the second code first.", Fact.ORDER),
    column("O", _I, "persons", "Observed: the second code followed the first in the window.", Fact.OUTCOME),
    column("E", _F, "persons", "Expected from comparable persons' comparable days.", Fact.OUTCOME),
    column("V", _F, "persons²", "Variance of O − E if nothing links the codes.", Fact.OUTCOME),
    column("comparable", _F, "", "Share of the expectation that is of persons without the first code."),
    column("rr", _F, "", "Relative risk, the exposed taken out of the reference.", Fact.OUTCOME),
    column("rr_low", _F, "", "Lower end of its 95 % interval.", Fact.OUTCOME),
    column("rr_high", _F, "", "Upper end of its 95 % interval.", Fact.OUTCOME),
    column("z", _F, "", "(O − E) / √V.", Fact.OUTCOME),
    column("log10_p", _F, "", "Base-10 logarithm of the two-sided mid-p.", Fact.OUTCOME),
    column("q_bh", _F, "", "q-value, Benjamini-Hochberg, over all pairs tested.", Fact.OUTCOME),
    column("q_by", _F, "", "q-value, Benjamini-Yekutieli, valid under any dependence.", Fact.OUTCOME),
    column("q_study_bh", _F, "", "q-value, BH, over everything the study has ever tested.", Fact.OUTCOME),
    column(
        "q_study_by", _F, "", "The same, BY: valid however the tests depend on one another.", Fact.OUTCOME
    ),
    column("q_empirical", _F, "", "q-value against the empirical null of this run.", Fact.OUTCOME),
    column("calibrated_p", _F, "", "p against the empirical null of this run.", Fact.OUTCOME),
    column("direction", WORD, "", "Which code tends to come first, beyond calendar trends.", Fact.DIRECTION),
    column("direction_p", _F, "", "p of that order against the codes' calendar trends.", Fact.DIRECTION),
    column("direction_p_half", _F, "", "p of that order against one half.", Fact.DIRECTION),
    column("nsr", _F, "", "Null-effect ratio: a first / b first if only calendar trends acted."),
    column("asr", _F, "", "Sequence ratio a first / b first, divided by nsr.", Fact.DIRECTION),
    column("ic", _F, "bits", "Information component, log2((O+½)/(E+½)).", Fact.OUTCOME),
    column("ic025", _F, "bits", "Lower end of its 95 % interval.", Fact.OUTCOME),
    *(
        column(
            f"lag_q{share:02d}",
            _D,
            "days",
            f"{share} % of the second codes came within so many days.",
            Fact.LAG,
        )
        for share in (5, 25, 50, 75, 95)
    ),
    column("replicated_person", _B, "", "Found again in the locked half of the persons.", Fact.OUTCOME),
    column("replicated_time", _B, "", "Found again in a later period.", Fact.OUTCOME),
    column("replicated_site", _B, "", "Found again among persons of other municipalities.", Fact.OUTCOME),
    column("flags", NAME, "", "Warnings: overlap, artefact, protopathic; empty when none."),
    column("tested", _B, "", "Tested, decided by how often the two codes occur, never by the joint count."),
    column("called", _B, "", "Significant by the job's rule.", Fact.OUTCOME),
    column("small_cell", WORD, "", "Facts hidden because few persons stand behind them; empty when none."),
    column("job", WORD, "", "Job that made the row."),
    column("study", WORD, "", "Study it ran in."),
    column("permit", WORD, "", "Permit it ran under."),
    column("data_versions", WORD, "", "Tables read and their versions."),
    column("seed", pa.int64(), "", "Seed of the study."),
)
"""The columns every result table begins with, in order; a kind may add its own."""

ORDERED_PAIR = frozenset(
    {"code_a", "code_b", "n_a", "n_b", "n_person", "n_before", "n_same_day", "n_after", "O", "E"}
)
"""What a row about an ordered pair of codes must have."""

FACTS = {each.name: each.fact for each in COLUMNS}
"""What each shared column lets a reader know."""


def counts_persons(each: PatternColumn) -> bool:
    """Whether a column is a whole number of persons."""
    return each.unit == "persons" and pa.types.is_integer(each.type)
