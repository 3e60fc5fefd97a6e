"""The planted truth can be found by the pair scan as it is defined, and what was not planted is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.analyses.pairs.scan import scan
from experiments.kernels.design import PairScanSettings
from experiments.kernels.passes import OverPersons
from lakehouse.synthetic.truth import describe_truth
from tests.support.synthetic_timeline import code_names, region, timeline

PERSONS = 30_000


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    """Tested pairs of one region with the planted ratio of each, 1 where nothing was planted."""
    world = region(31)
    names = np.array(code_names(world))
    result = scan(
        OverPersons(timeline(world, PERSONS)), PairScanSettings(n_codes=len(names)), terminal=[len(names) - 1]
    )
    table = result.table.to_pandas()
    table = table[table.tested]
    pairs = list(zip(names[table.code_a], names[table.code_b], strict=True))
    truth = describe_truth(world)
    effects = [*truth["planted"], *truth["harms"], *(s for t in truth["trajectories"] for s in t["steps"])]
    ratios = {(row["a"], row["b"]): row["rr"] for row in effects}
    kinds = {(row["a"], row["b"]): key for key in ("indications", "induced", "decoys") for row in truth[key]}
    kinds |= dict.fromkeys(ratios, "planted")
    return table.assign(
        true=[ratios.get(pair, 1.0) for pair in pairs], kind=[kinds.get(pair) for pair in pairs]
    )


def test_strong_effects_are_called_in_the_right_direction(found: pd.DataFrame) -> None:
    planted = found[found.kind == "planted"]
    strong = planted[np.abs(planted.true - 1) * np.sqrt(planted.E) >= 8]
    assert len(strong) >= 25
    assert strong.called.mean() >= 0.9
    assert ((strong.O > strong.E) == (strong.true > 1)).all()
    assert not (strong.direction == "backward").any()


def test_relative_risks_come_back(found: pd.DataFrame) -> None:
    planted = found[(found.kind == "planted") & (found.E >= 40) & found.called]
    error = np.log(planted.rr / planted.true)
    assert len(planted) >= 15
    assert np.median(np.abs(error)) <= 0.12
    assert abs(np.median(error)) <= 0.08


def test_what_was_not_planted_is_null(found: pd.DataFrame) -> None:
    null = found[found.kind.isna() | (found.kind == "decoys")]
    assert null.called.sum() <= 0.1 * found.called.sum()
    assert found[found.kind == "decoys"].called.mean() <= 0.01
    z = null[null.E >= 5].z
    assert 0.9 < z.std() < 1.1
    for low, high in ((5, 20), (20, 50), (50, 200), (200, 1e9)):
        assert 0.88 < null[null.E.between(low, high)].z.std() < 1.12
