"""Where does a treatment's outcome differ? New users of two treatments of a study, searched for subgroups."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from experiments.analyses.subgroups.search import FIXED, Cohort, Subgroups, conditions_of, find_subgroups
from experiments.execution.timelines import READS_TO_LAST_DAY, Timelines, at_least_floor, origin, timelines
from experiments.findings import Findings
from experiments.kernels.cohort import CohortPass, CohortRows
from experiments.products.patterns import Patterns
from experiments.products.search import Search
from lakehouse.errors import DataError, UsageError
from lakehouse.progress import current

if TYPE_CHECKING:
    from lakehouse.study.session import Study

__all__ = ["READS", "scan_subgroups"]

READS = READS_TO_LAST_DAY

TEXTS = ("female", *(f"aged {name.partition('//')[2].replace('-', ' to ')}" for name in FIXED[1:]))


class Params(Protocol):
    """What the job needs to know; a job's own dataclass has these fields."""

    treatment: str
    control: str
    outcome: str
    horizon_days: int
    conditions: int
    depth: int
    flips: int
    min_persons: int
    level: str
    error: float


def scan_subgroups(study: Study, params: Params, *, job: str = "mine_subgroups") -> Findings:
    """Subgroups of new users in whom ``treatment`` against ``control`` changes the outcome's risk otherwise.

    Raises :class:`UsageError` for parameters without meaning, :class:`DataError` for too small a cohort.
    """
    at_least_floor("min_persons", params.min_persons, study.permit.min_cell)
    if params.depth < 1 or params.flips < 19 or not 0 < params.error < 1:
        raise UsageError("depth starts at 1, flips at 19, error lies between 0 and 1.", "", "Correct --set.")
    over = timelines(study, params.level, reads=READS)
    treated, control = arms(over, params)
    outcomes = over.beginning(params.outcome, "outcome")
    rows: CohortRows = over.over_spark([treated, control])(
        CohortPass,
        {
            "n_codes": len(over.codes.names),
            "treated": treated,
            "control": control,
            "outcomes": outcomes,
            "horizon_days": params.horizon_days,
            "until": over.last_day - params.horizon_days,
        },
    )
    cohort = conditions_of(rows, params.conditions, 2 * params.min_persons)
    if min(cohort.treated.sum(), (~cohort.treated).sum(), cohort.outcome.sum()) < 2 * params.min_persons:
        raise DataError(
            "Too few new users, or too few of them with the outcome, to look for subgroups.",
            f"{over.codes.names[treated]} against {over.codes.names[control]}, followed {params.horizon_days} days.",
            "Choose other treatments, a more frequent outcome, or a longer follow-up.",
        )
    with current().watch(f"searching, and {params.flips} searches where nothing differs"):
        result = find_subgroups(
            cohort,
            fewest=params.min_persons,
            depth=params.depth,
            flips=params.flips,
            seed=study.seed,
            level=params.error,
        )
    names, texts = [*over.codes.names, *FIXED], [*over.codes.texts, *TEXTS]
    table = subgroup_table(result, cohort, (treated, control), len(over.codes.names), params.error)
    search = Search(
        codes=cohort.holds.shape[1],
        rule=f"a family-wise error of at most {params.error:g} over the whole search",
        window=f"{params.horizon_days} days",
        metrics={"cohort": len(rows.facts), "effect": result.effect, "subgroups": len(result.found.z)},
    )
    patterns = Patterns.from_scan(
        table,
        names,
        texts,
        origin(study, job, params),
        kind="subgroup",
        search=search,
    )
    return Findings(
        products=(patterns,),
        persons=len(rows.facts),
        remarks=(
            f"{over.codes.names[treated]} against {over.codes.names[control]}: over all new users the risk of "
            f"the outcome differs by {100 * result.effect:+.2f} percentage points.",
        ),
    )


def arms(over: Timelines, params: Params) -> tuple[int, int]:
    """The two treatments; where none is named, the two medicines of one therapeutic group that most persons have.

    Raises :class:`UsageError` where no two medicines of one group are in the study, or a code named is not.
    """
    if params.treatment or params.control:
        return over.code(params.treatment, "treatment"), over.code(params.control, "control")
    medicines = {n: name[:8] for n, name in enumerate(over.codes.names) if name.startswith("ATC//")}
    persons: Counter[int] = Counter()
    counted = over.frame.selectExpr("explode(array_distinct(code)) AS code").groupBy("code").count()
    for code, number in zip(*counted.toArrow().to_pydict().values(), strict=True):
        persons[int(over.codes.code_map[code])] += number
    groups: dict[str, list[int]] = {}
    for number, group in medicines.items():
        groups.setdefault(group, []).append(number)
    best = [sorted(group, key=lambda n: -persons[n])[:2] for group in groups.values() if len(group) > 1]
    if not best:
        raise UsageError(
            "No two medicines of one therapeutic group are in the study.",
            "The job compares new users of two treatments.",
            "Name them: --set treatment=CODE --set control=CODE.",
        )
    first, second = max(best, key=lambda pair: persons[pair[1]])
    return first, second


def subgroup_table(
    result: Subgroups, cohort: Cohort, treatments: tuple[int, int], codes: int, error: float
) -> pa.Table:
    """One row a subgroup the search came by; conditions that are no codes are numbered after all codes."""
    found = result.found
    fixed = len(FIXED)
    items = [
        [codes + at if at < fixed else int(cohort.codes[at - fixed]) for at in conditions]
        for conditions in found.conditions
    ]
    n = len(items)
    difference = found.inside - found.outside
    figures = {
        "effect_inside": found.inside,
        "effect_outside": found.outside,
        "difference_low": difference - 1.959963984540054 * found.se,
        "difference_high": difference + 1.959963984540054 * found.se,
        "z": found.z,
        "p_family": found.p,
    }
    return pa.table(
        {
            "code_a": pa.array(np.full(n, treatments[0], np.int32)),
            "code_b": pa.array(np.full(n, treatments[1], np.int32)),
            "items": pa.array(items, pa.list_(pa.int32())),
            "n_person": pa.array(result.persons[:, 0].astype(np.int32)),
            "n_treated": pa.array(result.persons[:, 1].astype(np.int32)),
            "n_control": pa.array(result.persons[:, 2].astype(np.int32)),
            **{name: pa.array(values, mask=~np.isfinite(values)) for name, values in figures.items()},
            "tested": pa.array(np.ones(n, bool)),
            "called": pa.array(found.p <= error),
            "replicated_person": pa.array(result.replicated == 1, mask=result.replicated < 0),
        }
    )
