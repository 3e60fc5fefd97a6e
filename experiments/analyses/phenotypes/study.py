"""Groups of codes that persons of a study have together, learned in one half of them and tested in the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from experiments.execution.timelines import READS, at_least_floor, origin, some_persons, timelines
from experiments.findings import Findings
from experiments.kernels.cohort import AGE, HALF, PRIOR, SEX, CohortRows, EverybodyPass
from experiments.products.patterns import Patterns
from experiments.products.search import Search
from experiments.statistics.latent_structure.phenotypes import Phenotypes, find_phenotypes
from lakehouse.errors import DataError, UsageError
from lakehouse.progress import current

if TYPE_CHECKING:
    from lakehouse.study.session import Study

__all__ = ["READS", "scan_phenotypes"]

HALF_SPLIT = 512
BANDS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 27, 37, 50)
FEWEST_TOP = 3
"""Codes of a phenotype a person has at least to be counted as having it."""


class Params(Protocol):
    """What the job needs to know; a job's own dataclass has these fields."""

    factors: int
    top: int
    seeds: int
    most_persons: int
    min_persons: int
    level: str
    q_level: float


def scan_phenotypes(study: Study, params: Params, *, job: str = "mine_phenotypes") -> Findings:
    """Phenotypes of the study's persons, or of ``most_persons`` of them drawn by their keyed hash.

    Raises :class:`UsageError` for parameters without meaning, :class:`DataError` for too few persons or codes.
    """
    at_least_floor("min_persons", params.min_persons, study.permit.min_cell)
    if min(params.factors, params.top, params.seeds) < 2 or not 0 < params.q_level < 1:
        raise UsageError("factors, top and seeds start at 2, q_level lies in 0..1.", "", "Correct --set.")
    over = timelines(study, params.level)
    everybody = over.frame.count()
    share = min(params.most_persons / max(everybody, 1), 1.0)
    drawn = replace(
        over, frame=over.frame.where(f"split % {HALF_SPLIT} < {max(round(share * HALF_SPLIT), 1)}")
    )
    rows: CohortRows = drawn.over_spark()(EverybodyPass, {"n_codes": len(over.codes.names)})
    some_persons(len(rows.facts))
    has, codes = _matrix(rows, len(over.codes.names), params.min_persons)
    locked = rows.facts[:, HALF] == 1
    if min(locked.sum(), (~locked).sum()) < 20 * params.factors or has.shape[1] < 2 * params.top:
        raise DataError(
            "Too few persons or codes to learn phenotypes from.",
            f"{len(rows.facts)} persons, {has.shape[1]} codes that {params.min_persons} of them have.",
            "Ask for fewer factors, or widen the study.",
        )
    with current().watch(f"learning {params.factors} factors {params.seeds + 1} times"):
        found = find_phenotypes(
            has[~locked],
            has[locked],
            strata_of(rows.facts[locked]),
            factors=params.factors,
            top=params.top,
            seeds=params.seeds,
            seed=study.seed % 2**31,
        )
    table = phenotype_table(found, has, codes, params)
    search = Search(
        codes=has.shape[1],
        rule=f"a q-value of at most {params.q_level:g} in the locked half, learned in the open one",
        window="whole timelines",
        metrics={"held_out_bits": found.gain, "drawn_share": share},
    )
    patterns = Patterns.from_scan(
        table,
        over.codes.names,
        over.codes.texts,
        origin(study, job, params),
        kind="phenotype",
        search=search,
    )
    return Findings(
        products=(patterns,),
        persons=len(rows.facts),
        remarks=(
            f"On codes held out from persons nothing was learned from, knowing a person's phenotypes gains "
            f"{found.gain:+.2f} bits a code over how frequent the codes are.",
        ),
    )


def _matrix(rows: CohortRows, n_codes: int, fewest: int) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """Persons × codes that enough persons have, and which codes these are."""
    ones = np.ones(len(rows.codes))
    whole = sparse.csr_matrix((ones, rows.codes, rows.offsets), shape=(len(rows.facts), n_codes))
    frequent = np.flatnonzero(np.asarray(whole.sum(axis=0)).ravel() >= fewest)
    return sparse.csr_matrix(whole[:, frequent]), frequent


def strata_of(facts: NDArray[np.int32]) -> NDArray[np.int64]:
    """Sex, five-year age band, and the band of how many codes a person has.

    ``facts`` [person, fact], age in years; returns the number of each person's stratum [person].
    """
    age = np.minimum(facts[:, AGE] // 5, 19).astype(np.int64)
    return (facts[:, SEX] * 20 + age) * 20 + np.searchsorted(BANDS, facts[:, PRIOR], side="right")


def phenotype_table(
    found: Phenotypes, has: sparse.csr_matrix, codes: NDArray[np.int64], params: Params
) -> pa.Table:
    """One row a phenotype: its codes, strongest first, who has them, how sure it is."""
    persons, items = [], []
    for factor, group in zip(found.factors, found.top, strict=True):
        persons.append(int((np.asarray(has[:, group].sum(axis=1)).ravel() >= FEWEST_TOP).sum()))
        items.append([int(codes[at]) for at in group[np.argsort(-factor[group], kind="stable")]])
    seen = found.together
    excess = np.divide(seen.observed, seen.expected, out=np.full(len(items), np.nan), where=seen.expected > 0)
    number = np.array(persons)
    tested = number >= params.min_persons
    z = np.divide(
        seen.observed - seen.expected,
        np.sqrt(seen.variance),
        out=np.zeros(len(items)),
        where=seen.variance > 0,
    )
    significant = tested & (found.q_bh <= params.q_level)
    figures = {"excess": excess, "z": z, "log10_p": seen.log10_p, "q_bh": found.q_bh, "q_by": found.q_by}
    figures |= {"stability": found.stability, "agreement": found.agreement}
    return pa.table(
        {
            "items": pa.array(items, pa.list_(pa.int32())),
            "n_person": pa.array(number.astype(np.int32)),
            **{name: pa.array(values, mask=~np.isfinite(values)) for name, values in figures.items()},
            "tested": pa.array(tested),
            "called": pa.array(significant),
            "replicated_person": pa.array(significant),
        }
    )
