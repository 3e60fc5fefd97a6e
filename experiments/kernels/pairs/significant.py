"""Third pass: for pairs that passed the screen, counts by stratum and half, lags, and incidence by day."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES, PairScanSettings
from experiments.kernels.exposures import ExposureFinder, Exposures
from experiments.kernels.pairs.reference import EXPOSED, PERSONS_AT_ONCE, ReferenceCounts
from experiments.kernels.pairs.significant_counts import (
    EXPOSED_FOLLOWED,
    EXPOSED_NOT_AT_RISK,
    LATER_FOLLOWED,
    OWN_FOLLOWED,
    OWN_NOT_AT_RISK,
    PLACES,
    WHAT,
    Entries,
    PairNumbers,
    Records,
    SignificantCounts,
    add_incidence,
    cells_of,
    longest,
    tally,
)
from experiments.kernels.persons import Persons
from experiments.kernels.strata import StrataIndex

_RECORDS_HELD = 1 << 24
_RECORDS_AT_ONCE = 1 << 20


class Present(NamedTuple):
    """All that the third pass needs of a reference: its strata and, a bit each, which codes are exposures there."""

    keys: NDArray[np.int64]
    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, *blocks: ReferenceCounts) -> Present:
        """Of a merged reference, or of its blocks of codes in order."""
        found = [part.cells[:, :, EXPOSED].any(axis=1) for part in blocks]
        return cls(blocks[0].keys, np.packbits(np.concatenate(found, axis=1), axis=1, bitorder="little"))

    @classmethod
    def everywhere(cls, keys: NDArray[np.int64], n_codes: int) -> Present:
        """Every code in every stratum: nothing counted is left out.

        ``keys`` [stratum].
        """
        return cls(keys, np.full((len(keys), (n_codes + 7) // 8), 255, np.uint8))


class SignificantPass:
    """Counts ``SignificantCounts`` over batches of persons."""

    COUNTS: ClassVar[type[SignificantCounts]] = SignificantCounts

    def __init__(self, settings: PairScanSettings, present: Present, pairs: NDArray[np.int32]) -> None:
        n = settings.n_codes
        self._settings = settings
        self._pairs = np.ascontiguousarray(pairs, np.int32).reshape(-1, 2)
        self._keys = present.keys
        self._strata = StrataIndex(present.keys)
        self._finder = ExposureFinder(settings)
        self._codes = np.unique(self._pairs)
        self._present = present.bits
        place = np.full(n, -1, np.int32)
        place[self._codes] = np.arange(len(self._codes))
        number = np.full((len(self._codes), len(self._codes)), -1, np.int32)
        a, b = place[self._pairs.T]
        number[a, b] = np.arange(len(self._pairs))
        self._numbers = PairNumbers(place, number)
        self._incidence = (0, np.zeros((len(self._codes), 0), np.int32))
        self._cells: list[Entries] = []
        self._lags: list[Entries] = []
        self._held = 0

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons, all of whom the reference has seen.

        Raises ValueError where a person falls into a stratum the reference does not know.
        """
        for start in range(0, persons.count, PERSONS_AT_ONCE):
            self._add(persons.part(start, min(start + PERSONS_AT_ONCE, persons.count)))

    def result(self) -> SignificantCounts:
        """Everything counted so far."""
        self._compact()
        cells, lags = self._cells[0], self._lags[0]
        return SignificantCounts(
            self._pairs,
            self._keys,
            cells_of(cells[0], cells[1]),
            cells[2],
            np.stack([lags[0], lags[1]]),
            lags[2],
            self._codes,
            *self._incidence,
        )

    def _add(self, persons: Persons) -> None:
        exposures = self._finder.find(persons)
        rows = self._strata.rows(exposures.keys)
        if self._strata.count > len(self._keys):
            raise ValueError("the reference was counted over other persons: a stratum is missing")
        counted = exposures.counted if self._settings.washout_days else slice(None)
        self._count_incidence(exposures.codes[counted], exposures.days[counted])
        person, exposure, most = 0, 0, int(np.diff(exposures.offsets).max(initial=0))
        unsigned = exposures._replace(codes=exposures.codes.view(np.uint32))
        while person < persons.count:
            room = max(_RECORDS_AT_ONCE, most * (most + 1))
            records, lags = (
                Records(np.empty(room, np.int32), np.empty(room, np.int32)),
                np.empty(room, np.int32),
            )
            person, exposure, size = _record(
                (person, exposure),
                unsigned,
                rows,
                persons.half,
                self._settings.horizon_days,
                self._numbers,
                self._present,
                records,
                lags,
            )
            self._keep(records.pairs[:size], records.places[:size], lags[:size])

    def _keep(self, pairs: NDArray[np.int32], places: NDArray[np.int32], lags: NDArray[np.int32]) -> None:
        ones = np.ones(len(pairs), np.int32)
        followed = lags >= 0
        self._cells.append((pairs.copy(), places.copy(), ones))
        self._lags.append((pairs[followed], lags[followed], ones[followed]))
        self._held += len(pairs)
        if self._held > _RECORDS_HELD:
            self._compact()

    def _count_incidence(self, codes: NDArray[np.int32], days: NDArray[np.int32]) -> None:
        place = self._numbers.place[codes]
        wanted = place >= 0
        if not wanted.any():
            return
        place, day = place[wanted].astype(np.int64), days[wanted].astype(np.int64)
        first = int(day.min())
        width = int(day.max()) - first + 1
        table = np.bincount(place * width + day - first, minlength=len(self._codes) * width)
        parts = [self._incidence, (first, table.reshape(-1, width).astype(np.int32))]
        self._incidence = add_incidence(parts)

    def _compact(self) -> None:
        empty = np.empty(0, np.int32)
        nothing = (empty, empty, empty)
        n = len(self._pairs)
        self._cells = [tally([*self._cells, nothing], n, PLACES * len(self._keys))]
        self._lags = [tally([*self._lags, nothing], n, longest(self._lags) + 1)]
        self._held = 0


@compiled
def _record(
    begin: tuple[int, int],
    exposures: Exposures,
    rows: NDArray[np.int32],
    halves: NDArray[np.int8],
    horizon: int,
    numbers: PairNumbers,
    present: NDArray[np.uint8],
    records: Records,
    lags: NDArray[np.int32],
) -> tuple[int, int, int]:
    """Records of the significant pairs persons have both codes of; lag -1 where a record tells of no lag.

    Stops before an exposure whose records might not fit. Returns where to go on and the records written.
    """
    first_person, first_exposure = begin
    offsets, codes, days, _, starts = exposures
    place, number = numbers
    pairs, places = records
    size = 0
    for person in range(first_person, len(offsets) - 1):
        start, end, half = offsets[person], offsets[person + 1], np.int64(halves[person])
        for exposure in range(max(start, first_exposure), end):
            if size + (end - start) * (end - start + 1) > len(pairs):
                return person, exposure, size
            a, day_a = codes[exposure], np.int64(days[exposure])
            place_a = place[a]
            if place_a < 0:
                continue
            for other in range(start, end):
                place_b = place[codes[other]]
                pair = number[place_a, place_b] if place_b >= 0 else -1
                if pair < 0:
                    continue
                day_b = np.int64(days[other])
                own = OWN_FOLLOWED if day_b > day_a else OWN_NOT_AT_RISK
                if exposure >= starts[person] and day_b - day_a <= horizon:
                    pairs[size] = pair
                    places[size] = (np.int64(rows[exposure]) * HALVES + half) * WHAT + own
                    lags[size] = day_b - day_a if day_b > day_a else -1
                    size += 1
                for any_exposure in range(starts[person], end):
                    day, row = np.int64(days[any_exposure]), rows[any_exposure]
                    what = _what(day, day_a, day_b, horizon)
                    if what >= 0 and present[row, a >> 3] >> (a & 7) & 1:
                        pairs[size] = pair
                        places[size] = (np.int64(row) * HALVES + half) * WHAT + what
                        lags[size] = -1
                        size += 1
    return len(offsets) - 1, 0, size


@compiled
def _what(day: np.int64, day_a: np.int64, day_b: np.int64, horizon: int) -> int:
    """What an exposure on ``day`` of a person with both codes counts as, -1 for nothing out of the common."""
    if day >= day_a and day >= day_b:
        return EXPOSED_NOT_AT_RISK
    if day_b <= day_a or day_b <= day or day_b > day + horizon:
        return -1
    return EXPOSED_FOLLOWED if day >= day_a else LATER_FOLLOWED
