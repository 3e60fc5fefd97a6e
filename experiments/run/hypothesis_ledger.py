"""The ledger of hypotheses: every p-value a study has ever made, and q-values over all of them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from experiments.products.base import Hypotheses, Product
from experiments.statistics.error_control.multiplicity import HypothesisTally
from lakehouse.errors import DataError

PREFIX = "tested-"


def over_everything(folder: Path, product: Product) -> Product:
    """Enter a product's tests in the ledger of its study's ``folder``; the product with q-values over all of it.

    A run that repeats another (it asked the same of the same data versions) tests nothing new and takes its place.
    The ledger outlives the runs: deleting a run's folder takes back no look at the data.
    """
    tests = product.tests()
    if tests is None:
        return product
    enter(folder, tests)
    bh, by = everything(folder).q_values(tests.log10_p)
    return product.judged(bh, by)


def enter(folder: Path, tests: Hypotheses) -> Path:
    """Store the tests of one product; whole or not at all."""
    key = hashlib.sha256(json.dumps(list(tests.asked), sort_keys=True, default=str).encode()).hexdigest()[:16]
    path = folder / f"{PREFIX}{key}.npz"
    found = HypothesisTally.of(tests.log10_p)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = folder / f".{path.name}.{os.getpid()}"
    with temporary.open("wb") as handle:
        np.savez_compressed(handle, total=np.array([found.total]), small=found.small)
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
