"""Mine again where a question was mined before: find whose timelines changed since, count those alone, keep the sum.

A lake's gold tables are written anew with every delivery, so changes show in the rows alone. Each person leaves a
keyed fingerprint with the counts; those that came are counted from the newest version, those that left are read from
the version that was counted, under the study's rules of today, and taken off. Where these cannot all be found again,
because somebody opted out or the permit's period moved, everybody is counted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.analyses.pairs.incremental_counts import IncrementalCounts
from experiments.analyses.pairs.incremental_store import FORMAT, StoredCounts, read_kept, write_kept
from experiments.execution.over_spark import COLUMNS, OverSpark
from experiments.kernels.bands import PriorCounts, PriorPass, banded, bands_for, largest_share
from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.fingerprints import ChosenPass, FingerprintPass, Fingerprints
from experiments.kernels.passes import OverPersons, RunPass
from lakehouse.delta.read import all_files_there
from lakehouse.governance.access.platform_reads import platform_at_work
from lakehouse.governance.persons.kept_results import kept_folder

if TYPE_CHECKING:
    from lakehouse.study.session import Study

TIMELINE = "gold.timeline"


class Recount(NamedTuple):
    """A scan's passes from incremental counts, by ``settings`` with their bands; ``remark`` says what was counted.

    ``save`` keeps the counts for the next run, unless a repeated earlier run made them.
    """

    run_pass: RunPass
    settings: PairScanSettings
    remark: str
    save: Callable[[], None]


def recounted(
    study: Study, over: OverSpark, names: list[str], settings: PairScanSettings, level: str
) -> Recount:
    """Counts of a study's persons, from those kept of an earlier version as far as these hold.

    ``over`` runs passes over the pinned version; ``names`` are the codes' names by number, of the vocabulary's
    ``level``.
    """
    path, key = _place_of(study, settings, level), _key_of(study)
    shared = {"words": _words(names), "key": key}
    with platform_at_work():
        before = read_kept(path)
    now: Fingerprints = over(FingerprintPass, shared)
    counts, remark = None, "Everybody was counted: nothing was kept of this question before."
    if before is not None:
        counts, remark = _brought_forward(study, over, before, now, names, shared)
    if counts is None:
        counts = IncrementalCounts.of(over, banded(over, settings))
    else:
        remark += outgrown(over, counts.settings)
    kept = StoredCounts(counts, now, names, study.versions[TIMELINE])
    superseded = before is not None and before.version > kept.version

    def save() -> None:
        if superseded:
            return
        with platform_at_work():
            write_kept(path, kept)

    return Recount(counts.over(over), counts.settings, remark, save)


def _brought_forward(
    study: Study,
    over: OverSpark,
    before: StoredCounts,
    now: Fingerprints,
    names: list[str],
    shared: dict[str, Any],
) -> tuple[IncrementalCounts | None, str]:
    """Incremental counts with those who came and without those who left, and what was done; None where that cannot be."""
    if before.version > study.versions[TIMELINE]:
        return None, "Everybody was counted: what was kept is of a later version of the lake."
    places = np.searchsorted(names, before.names)
    if any(
        place == len(names) or names[place] != old for place, old in zip(places, before.names, strict=True)
    ):
        return None, "Everybody was counted: codes of the version kept are no longer mined."
    came, left = now.less(before.prints), before.prints.less(now)
    persons = over(ChosenPass, {**shared, "wanted": came[0]}).limited(*came)
    earlier = None
    if len(left[0]):
        with platform_at_work():
            there = all_files_there(study.rules.paths[TIMELINE], before.version)
        if not there:
            return None, "Everybody was counted: the version kept is no longer in the lake."
        frame = study.table(TIMELINE, list(COLUMNS), version=before.version)
        once = OverSpark(frame, over.code_map, over.watch, hold=False)
        chosen = once(ChosenPass, {**shared, "wanted": left[0]})
        earlier = chosen.limited(*left)
        if earlier is None:
            return None, "Everybody was counted: some who were counted before may not be read any more."
    counts = before.counts
    if before.names != names:
        counts = counts.renumbered(places, len(names))
    counts.update(
        OverPersons(persons) if persons.count else None, None if earlier is None else OverPersons(earlier)
    )
    changed = 100 * (came[1].sum() + left[1].sum()) / max(len(now.values), 1)
    return counts, (
        f"Counts kept of version {before.version} of {TIMELINE} were brought forward to version "
        f"{study.versions[TIMELINE]}; timelines that came or went are about {_roughly(changed)} of all."
    )


def outgrown(run_pass: RunPass, settings: PairScanSettings) -> str:
    """What to say where a band of earlier events has come to hold more than twice its share; empty where none has."""
    counts: PriorCounts = run_pass(PriorPass, {"settings": settings})
    largest, wanted = largest_share(counts.exposures, settings.prior_cuts), bands_for(counts.exposures.sum())
    if largest * len(settings.prior_cuts) <= 2 and wanted <= 1.25 * len(settings.prior_cuts) + 1:
        return ""
    return (
        f" The bands of earlier events are still the {len(settings.prior_cuts)} that the counts began with; the data of "
        f"today ask for about {wanted}, and one band holds {100 * largest:.0f} % of all exposures. Run once with keep=false "
        "to see what bands of today give."
    )


def _roughly(share: float) -> str:
    """A share in words coarse enough to tell of no single person."""
    return next((f"under {limit} %" for limit in (1, 2, 5, 10, 20, 50) if share < limit), "half or more")


def _place_of(study: Study, settings: PairScanSettings, level: str) -> Path:
    """Where counts of this question lie: another study, permit or definition is another file."""
    asked = {
        "format": FORMAT,
        "permit": [study.permit.permit_id, study.permit.version, study.permit.hash],
        "cohort": study.definition.cohort,
        "level": level,
        "settings": {name: value for name, value in asdict(settings).items() if name != "n_codes"},
    }
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return kept_folder(study.settings, study.id) / f"pairs-{digest[:24]}"


def _key_of(study: Study) -> int:
    """Key of the fingerprints, from the study's own: without it a fingerprint tells nothing of a known timeline."""
    with platform_at_work():
        secret = study.rules.key_file().read_bytes()
    return int.from_bytes(hashlib.blake2b(b"fingerprints", key=secret[:64], digest_size=8).digest(), "big")


def _words(names: list[str]) -> NDArray[np.uint64]:
    """A number for each code's name, whatever its place in the list."""
    return np.array(
        [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") for name in names],
        np.uint64,
    )
