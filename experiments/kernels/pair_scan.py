"""The counting side of the pair scan: three streaming passes over persons, under one name each.

Every pass takes batches of whole persons by ``add`` and gives additive counts by ``result``; counts of
disjoint persons ``merge``. Whoever carries the passes over partitions needs ``PASSES`` and ``COUNTS`` alone.
"""

from __future__ import annotations

from experiments.kernels.called import CalledPass
from experiments.kernels.called_counts import CalledCounts
from experiments.kernels.design import PairScanSettings, describe_strata
from experiments.kernels.packing import pack, unpack
from experiments.kernels.pairs import PairCounts, PairPass
from experiments.kernels.persons import Persons, join_persons, roll_up
from experiments.kernels.reference import ReferenceCounts, ReferencePass

Counts = ReferenceCounts | PairCounts | CalledCounts

PASSES: dict[str, type[ReferencePass] | type[PairPass] | type[CalledPass]] = {
    "ReferencePass": ReferencePass,
    "PairPass": PairPass,
    "CalledPass": CalledPass,
}
COUNTS: dict[str, type[ReferenceCounts] | type[PairCounts] | type[CalledCounts]] = {
    "ReferencePass": ReferenceCounts,
    "PairPass": PairCounts,
    "CalledPass": CalledCounts,
}

__all__ = [
    "COUNTS",
    "PASSES",
    "CalledCounts",
    "CalledPass",
    "Counts",
    "PairCounts",
    "PairPass",
    "PairScanSettings",
    "Persons",
    "ReferenceCounts",
    "ReferencePass",
    "describe_strata",
    "join_persons",
    "pack",
    "roll_up",
    "unpack",
]
