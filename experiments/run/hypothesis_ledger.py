"""The ledger of tests: every p-value a study has ever made, and q-values over all of them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.products.patterns import PatternMeta, Patterns
from experiments.statistics.error_control.multiplicity import HypothesisTally
from lakehouse.errors import DataError

PREFIX = "tested-"


def over_everything(folder: Path, raw: Patterns) -> Patterns:
    """Enter a run's tests in the ledger of its study's ``folder``; the patterns with q-values over all of it.

    A run that repeats another (same job, parameters and data versions) tests nothing new and takes its place.
    The ledger outlives the runs: deleting a run's folder takes back no look at the data.
    """
    table = raw.table
    if "log10_p" not in table.column_names or table.column("log10_p").null_count == table.num_rows:
        return raw
    wanted = pc.and_(pc.fill_null(table.column("tested"), False), pc.is_valid(table.column("log10_p")))
    tested = np.asarray(wanted)
    log10_p = np.asarray(table.column("log10_p").fill_null(0.0))
    enter(folder, raw.meta, HypothesisTally.of(log10_p[tested]))
    bh, by = everything(folder).q_values(log10_p[tested])
    for name, values in (("q_study_bh", bh), ("q_study_by", by)):
        full = np.full(table.num_rows, np.nan)
        full[tested] = values
        column = pa.array(full, mask=~tested)
        table = table.set_column(table.column_names.index(name), name, column)
    return Patterns(table, raw.meta)


def enter(folder: Path, meta: PatternMeta, tests: HypothesisTally) -> Path:
    """Store the tests of one run; whole or not at all."""
    said = [meta.job, meta.kind, dict(sorted(meta.params.items())), dict(sorted(meta.data_versions.items()))]
    key = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]
    path = folder / f"{PREFIX}{key}.npz"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = folder / f".{path.name}.{os.getpid()}"
    with temporary.open("wb") as handle:
        np.savez_compressed(handle, total=np.array([tests.total]), small=tests.small)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
    return path


def everything(folder: Path) -> HypothesisTally:
    """All tests of a study. A damaged entry is a :class:`DataError`: leaving it out would forget tests."""
    parts = []
    for path in sorted(folder.glob(f"{PREFIX}*.npz")):
        try:
            with np.load(path, allow_pickle=False) as stored:
                parts.append(HypothesisTally(int(stored["total"][0]), stored["small"]))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(
                f"{path} cannot be read: {error}.",
                "It holds tests of this study, and q-values without them would be too small.",
                "Run the job again that made it, or restore the file.",
            ) from error
    return HypothesisTally.merge(parts)
