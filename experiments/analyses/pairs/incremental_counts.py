"""Mining again when persons came, went or changed: counts are kept, only those persons are counted, the table is the same.

What usually follows changes with every person, and with it every expectation. So nothing is kept that was made
with it: exposures no longer at risk are kept by stratum, and weighed anew with the new reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.followed import PairCounts, PairPass
from experiments.kernels.pairs.no_longer_at_risk import (
    NoLongerAtRiskCounts,
    NoLongerAtRiskPass,
    add_up,
    weighed,
)
from experiments.kernels.pairs.reference import ReferenceCounts, ReferencePass, rounder_for, shift_for
from experiments.kernels.pairs.significant import Present, SignificantPass
from experiments.kernels.pairs.significant_counts import PLACES, SignificantCounts, add_incidence, cells_of
from experiments.kernels.passes import RunPass

_SMALL = 0.1
"""Changes up to this share of what they change cost less to weigh than to merge."""


@dataclass
class IncrementalCounts:
    """Counts of a pair scan over persons that may change; ``significant`` are those of pairs once looked at closely.

    ``changes`` are counts to be added to ``not_at_risk``: small beside it, they are weighed with it and not yet merged.
    """

    settings: PairScanSettings
    reference: ReferenceCounts
    not_at_risk: NoLongerAtRiskCounts
    significant: SignificantCounts | None = None
    changes: list[NoLongerAtRiskCounts] = field(default_factory=list)

    @classmethod
    def of(cls, run_pass: RunPass, settings: PairScanSettings) -> IncrementalCounts:
        """Counted over all persons."""
        reference = cast("ReferenceCounts", run_pass(ReferencePass, {"settings": settings}))
        return cls(settings, reference, cast("Any", run_pass)(NoLongerAtRiskPass, {"settings": settings}))

    def update(self, came: RunPass | None, left: RunPass | None = None) -> None:
        """Add the persons ``came`` runs over and take off those ``left`` does; who changed is in both."""
        for run_pass, gone in ((came, False), (left, True)):
            if run_pass is None:
                continue
            part = IncrementalCounts.of(run_pass, self.settings)
            reference = _signed(part.reference, gone)
            self.reference = _without_empty(ReferenceCounts.merge([self.reference, reference]))
            self.changes.append(part.not_at_risk.negative() if gone else part.not_at_risk)
            if self.significant is not None:
                seen = count_significant(run_pass, self.settings, part.reference.keys, self.significant.pairs)
                self.significant = combine(self.significant, seen, self.reference.keys, -1 if gone else 1)

    def settle(self, share: float = _SMALL) -> None:
        """Merge the changes, and where they have come to a share of what they change merge them into that."""
        if not self.changes:
            return
        self.changes = [NoLongerAtRiskCounts.merge(self.changes)]
        if len(self.changes[0].what) >= share * len(self.not_at_risk.what):
            self.not_at_risk, self.changes = self.not_at_risk.plus(self.changes[0]), []

    def renumbered(self, places: NDArray[np.int64], n_codes: int) -> IncrementalCounts:
        """The same under other numbers: code i is now ``places[i]``, which ascend, of ``n_codes``."""
        cells = np.zeros((*self.reference.cells.shape[:3], n_codes), self.reference.cells.dtype)
        cells[..., places] = self.reference.cells
        significant = self.significant and replace(
            self.significant,
            pairs=places[self.significant.pairs].astype(np.int32),
            codes=places[self.significant.codes].astype(np.int32),
        )
        return IncrementalCounts(
            replace(self.settings, n_codes=n_codes),
            replace(self.reference, cells=cells),
            self.not_at_risk.renumbered(places, n_codes),
            significant,
            [part.renumbered(places, n_codes) for part in self.changes],
        )

    def over(self, everybody: RunPass) -> RunPass:
        """Runs the passes of a scan from what is kept; pairs never looked at before are counted over ``everybody``."""

        return _FromIncrementalCounts(self, everybody)

    def pair_counts(self) -> PairCounts:
        """The second pass against the reference as it is now."""
        persons, parts = self.reference.persons, [self.not_at_risk, *self.changes]
        not_at_risk = weighed(parts, self.reference, rounder_for(persons))
        preceded, beside = self.not_at_risk.preceded.copy(), self.not_at_risk.beside.copy()
        for part in self.changes:
            preceded += part.preceded
            beside += part.beside
        return PairCounts(preceded, beside, not_at_risk, shift_for(persons))

    def significant_counts(self, everybody: RunPass, pairs: NDArray[np.int32]) -> SignificantCounts:
        """The third pass for pairs: those never looked at before are counted over ``everybody``.

        ``pairs`` [pair, (a, b)].
        """
        keys, known = self.reference.keys, self.significant
        have = set() if known is None else set(map(tuple, known.pairs.tolist()))
        missing = np.array([pair for pair in pairs.tolist() if tuple(pair) not in have], np.int32)
        if len(missing):
            counted = count_significant(everybody, self.settings, keys, missing)
            known = counted if known is None else joined(known, counted)
        self.significant = known
        assert known is not None
        return chosen(known, pairs)


@dataclass
class _FromIncrementalCounts:
    """Runs the passes of a scan from what is kept."""

    kept: IncrementalCounts
    everybody: RunPass
    weighs: bool = True

    def __call__(self, counting: type[Any], arguments: Mapping[str, Any]) -> Any:
        if counting is ReferencePass:
            return self.kept.reference
        if counting is PairPass:
            return self.kept.pair_counts()
        return self.kept.significant_counts(self.everybody, arguments["pairs"])


def count_significant(
    run_pass: RunPass, settings: PairScanSettings, keys: NDArray[np.int64], pairs: NDArray[np.int32]
) -> SignificantCounts:
    """The third pass for pairs, in every stratum: also in those where the first code has no exposure yet.

    ``keys`` [stratum] are those of the reference, ``pairs`` [pair, (a, b)].
    """
    present = Present.everywhere(keys, settings.n_codes)
    arguments = {"settings": settings, "present": present, "pairs": pairs}
    return cast("SignificantCounts", run_pass(SignificantPass, arguments))


def combine(
    one: SignificantCounts, other: SignificantCounts, keys: NDArray[np.int64], sign: int
) -> SignificantCounts:
    """Counts of the same pairs added (``sign`` 1) or taken off (-1), by the strata ``keys``.

    ``keys`` [stratum] ascend; cells in other strata are dropped.
    """
    width = PLACES * len(keys)
    cells, lags = [], []
    for counts, factor in ((one, 1), (other, sign)):
        row = np.searchsorted(keys, counts.keys)
        known = row < len(keys)
        known[known] = keys[row[known]] == counts.keys[known]
        pair, stratum, half, what = counts.cells.astype(np.int64)
        kept = known[stratum]
        place = (row[stratum] * 2 + half) * (PLACES // 2) + what
        cells.append(((pair * width + place)[kept], factor * counts.cell_counts[kept].astype(np.int64)))
        lags.append(
            (
                counts.lags[0].astype(np.int64) << 32 | counts.lags[1],
                factor * counts.lag_counts.astype(np.int64),
            )
        )
    cell, number = add_up(cells)
    lag, lag_number = add_up(lags)
    first_day, incidence = add_incidence(
        [(one.first_day, one.incidence), (other.first_day, sign * other.incidence)]
    )
    return replace(
        one,
        keys=keys,
        cells=cells_of((cell // width).astype(np.int32), (cell % width).astype(np.int32)),
        cell_counts=number.astype(np.int32),
        lags=np.stack([lag >> 32, lag & 0xFFFFFFFF]).astype(np.int32),
        lag_counts=lag_number.astype(np.int32),
        first_day=first_day,
        incidence=incidence,
    )


def joined(one: SignificantCounts, other: SignificantCounts) -> SignificantCounts:
    """Counts of different pairs over the same persons and strata, as one."""
    codes = np.union1d(one.codes, other.codes).astype(np.int32)
    first = min(part.first_day for part in (one, other))
    last = max(part.first_day + part.incidence.shape[1] for part in (one, other))
    incidence = np.zeros((len(codes), last - first), np.int32)
    for part in (one, other):
        columns = slice(part.first_day - first, part.first_day - first + part.incidence.shape[1])
        incidence[np.searchsorted(codes, part.codes), columns] = part.incidence
    shift = np.array([[len(one.pairs)], *([[0]] * 3)], np.int32)
    return SignificantCounts(
        np.concatenate([one.pairs, other.pairs]),
        one.keys,
        np.concatenate([one.cells, other.cells + shift], axis=1),
        np.concatenate([one.cell_counts, other.cell_counts]),
        np.concatenate([one.lags, other.lags + shift[:2]], axis=1),
        np.concatenate([one.lag_counts, other.lag_counts]),
        codes,
        first,
        incidence,
    )


def chosen(counts: SignificantCounts, pairs: NDArray[np.int32]) -> SignificantCounts:
    """The counts of some of the pairs, in the order asked for.

    ``pairs`` [pair, (a, b)] are among those counted.
    """
    number = {tuple(pair): at for at, pair in enumerate(counts.pairs.tolist())}
    place = np.full(len(counts.pairs), -1, np.int32)
    place[[number[tuple(pair)] for pair in pairs.tolist()]] = np.arange(len(pairs))

    def taken(
        entries: NDArray[np.int32], numbers: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        kept = place[entries[0]] >= 0
        entries, numbers = entries[:, kept].copy(), numbers[kept]
        entries[0] = place[entries[0]]
        order = np.argsort(entries[0], kind="stable")
        return entries[:, order], numbers[order]

    codes = np.unique(pairs).astype(np.int32)
    rows = np.searchsorted(counts.codes, codes)
    return SignificantCounts(
        pairs,
        counts.keys,
        *taken(counts.cells, counts.cell_counts),
        *taken(counts.lags, counts.lag_counts),
        codes,
        counts.first_day,
        counts.incidence[rows],
    )


def _signed(reference: ReferenceCounts, gone: bool) -> ReferenceCounts:
    if not gone:
        return reference
    cells, persons, every = -reference.cells, -reference.persons, -reference.every
    return replace(reference, cells=cells, persons=persons, every=every, crowd=-reference.crowd)


def _without_empty(reference: ReferenceCounts) -> ReferenceCounts:
    """Strata in which nobody is left are none."""
    used = reference.cells.any(axis=(1, 2, 3))
    return (
        reference
        if used.all()
        else replace(
            reference,
            keys=reference.keys[used],
            cells=reference.cells[used],
            every=reference.every[used],
            crowd=reference.crowd[used],
        )
    )
