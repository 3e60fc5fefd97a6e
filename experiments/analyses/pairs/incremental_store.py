"""Incremental counts on disk: one file a question in the study's own folder, for its owner alone, whole or not at all."""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.analyses.pairs.incremental_counts import IncrementalCounts
from experiments.kernels.design import PairScanSettings
from experiments.kernels.packing import PackedArray, pack, unpack
from experiments.kernels.pairs.fingerprints import Fingerprints
from experiments.kernels.pairs.no_longer_at_risk import NoLongerAtRiskCounts
from experiments.kernels.pairs.reference import ReferenceCounts
from experiments.kernels.pairs.significant_counts import SignificantCounts
from lakehouse.private_files import private_folder

FORMAT = 2
"""Of the file and of what is counted: raised whenever an incremental count would mean something else."""

SECTIONS: dict[str, Any] = {
    "reference": ReferenceCounts,
    "barred": NoLongerAtRiskCounts,
    "change": NoLongerAtRiskCounts,
    "called": SignificantCounts,
    "prints": Fingerprints,
}


@dataclass(frozen=True)
class StoredCounts:
    """What is kept: counts, the fingerprint of every person in them, the codes' names, and the table's version."""

    counts: IncrementalCounts
    prints: Fingerprints
    names: list[str]
    version: int


def write_kept(path: Path, kept: StoredCounts) -> None:
    """Write in one step, after everything is on disk; a killed writer leaves the file that was there before."""
    kept.counts.settle()
    sections: dict[str, Any] = {
        "reference": kept.counts.reference,
        "barred": kept.counts.not_at_risk,
        "prints": kept.prints,
    }
    sections |= {f"change {number}": part for number, part in enumerate(kept.counts.changes)}
    if kept.counts.significant is not None:
        sections["called"] = kept.counts.significant
    packed = [(name, array) for name, part in sections.items() for array in pack(part.to_arrays())]
    listed = [[name, *array[:4], memoryview(array.content).nbytes] for name, array in packed]
    head = {
        "format": FORMAT,
        "version": kept.version,
        "names": kept.names,
        "settings": asdict(kept.counts.settings),
        "arrays": listed,
    }
    private_folder(path.parent)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(json.dumps(head).encode() + b"\n")
        for _, array in packed:
            file.write(array.content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_kept(path: Path) -> StoredCounts | None:
    """What was kept; None where nothing was, or where the file is of another format or not whole."""
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline())
            start = file.tell()
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):
        return None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        return None
    if start + sum(size for *_, size in head["arrays"]) != content.nbytes:
        return None
    sections: dict[str, list[PackedArray]] = {}
    for section, name, dtype, shape, layout, size in head["arrays"]:
        array = PackedArray(name, dtype, tuple(shape), layout, content[start : start + size])
        sections.setdefault(section, []).append(array)
        start += size
    found = {
        name: SECTIONS[name.partition(" ")[0]].from_arrays(unpack(arrays))
        for name, arrays in sections.items()
    }
    changes = [part for name, part in found.items() if name.startswith("change ")]
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in head["settings"].items()
    }
    counts = IncrementalCounts(
        PairScanSettings(**given), found["reference"], found["barred"], found.get("called"), changes
    )
    return StoredCounts(counts, found["prints"], head["names"], head["version"])
