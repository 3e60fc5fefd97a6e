"""The linker: comparisons and blocking in, one link probability a pair out. Splink on DuckDB, an optional extra.

Up to some ten million records one machine with DuckDB is 20 times quicker than Spark at the same figures, so
DuckDB is what is used here. Splink's own requirement igraph is GPL, is needed for edge metrics alone, and is left out.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    import pandas as pd

ID = "unique_id"
LOWEST = 0.5
"""A pair less likely than not is never a link."""


@dataclass(frozen=True)
class LinkSpec:
    """What is compared and how. ``comparisons`` makes Splink's comparisons; each block is a tuple of columns.

    ``sure`` blocks hold few false pairs and give the prior; ``training`` blocks each train the rest.
    """

    name: str
    columns: tuple[str, ...]
    comparisons: Callable[[], list[Any]]
    blocks: tuple[tuple[str, ...], ...]
    sure: tuple[tuple[str, ...], ...]
    training: tuple[tuple[str, ...], ...]
    recall_of_sure: float = 0.7
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame


@dataclass(frozen=True)
class Links:
    """Pairs with their probability, the threshold, and the precision and recall the model itself expects there.

    ``pairs``: id_l, id_r, probability, weight; ``groups``: unique_id, group (records of one person).
    """

    pairs: pd.DataFrame
    groups: pd.DataFrame
    threshold: float
    expected_precision: float
    expected_recall: float


def link(
    frames: Sequence[pd.DataFrame], spec: LinkSpec, target_precision: float = 0.98, seed: int = 1
) -> Links:
    """Link one file with itself, or two files with one another.

    The threshold is the lowest at which the model expects at least ``target_precision`` among the links; every
    link carries its own probability on, so that results made from links can carry it too. Raises
    :class:`ConfigurationError` without the extra, :class:`DataError` on files that cannot be linked.
    """
    prepared = [checked(frame, spec) for frame in frames]
    with silent():
        linker = trained(prepared, spec, seed)
        predicted = linker.inference.predict(threshold_match_probability=0.01)
    pairs = predicted.as_pandas_dataframe()[
        [f"{ID}_l", f"{ID}_r", "match_probability", "match_weight"]
    ].rename(
        columns={
            f"{ID}_l": "id_l",
            f"{ID}_r": "id_r",
            "match_probability": "probability",
            "match_weight": "weight",
        }
    )
    pairs = pairs.sort_values(
        ["probability", "id_l", "id_r"], ascending=[False, True, True], ignore_index=True
    )
    threshold, precision, recall = threshold_for(pairs["probability"].to_numpy(), target_precision)
    kept = pairs[pairs["probability"] >= threshold]
    if len(prepared) == 2:
        kept = best_each(kept)
    return Links(kept, grouped(prepared, kept), threshold, precision, recall)


def checked(frame: pd.DataFrame, spec: LinkSpec) -> pd.DataFrame:
    """A file ready to be compared: ids there and unique, columns there, empty texts null.

    Raises :class:`DataError` where they are not.
    """
    missing = [name for name in (ID, *spec.columns) if name not in frame.columns]
    if missing:
        raise DataError(
            f"The file lacks {', '.join(missing)}.",
            f"The linkage '{spec.name}' compares them.",
            "Add or rename them.",
        )
    if frame[ID].isna().any() or frame[ID].duplicated().any():
        raise DataError(f"{ID} is empty or repeated in some rows.", "", "Number the records.")
    texts = frame[[ID, *spec.columns]].astype("string").apply(lambda column: column.str.strip())
    return spec.prepare(nulled(texts))


def nulled(frame: pd.DataFrame) -> pd.DataFrame:
    """Plain Python texts, with None for whatever is missing or empty."""
    plain: Any = frame.astype(object)
    made: pd.DataFrame = plain.where(frame.notna() & (frame != ""), None)
    return made


def trained(frames: list[pd.DataFrame], spec: LinkSpec, seed: int) -> Any:
    """Splink with its parameters estimated on these files.

    Raises :class:`ConfigurationError` where the package for linking is not installed.
    """
    try:
        from splink import DuckDBAPI, Linker, SettingsCreator, block_on
    except ImportError:
        raise ConfigurationError(
            "Linking needs the package splink.",
            "It is an optional extra.",
            "Install it without its GPL requirement: uv pip install --no-deps 'patternlake[linking]'.",
        ) from None
    settings = SettingsCreator(
        link_type="link_only" if len(frames) == 2 else "dedupe_only",
        comparisons=spec.comparisons(),
        blocking_rules_to_generate_predictions=[block_on(*columns) for columns in spec.blocks],
        unique_id_column_name=ID,
        max_iterations=25,
    )
    given: Any = frames if len(frames) == 2 else frames[0]
    linker = Linker(given, settings, db_api=DuckDBAPI())
    linker.training.estimate_probability_two_random_records_match(
        [block_on(*columns) for columns in spec.sure], recall=spec.recall_of_sure
    )
    linker.training.estimate_u_using_random_sampling(1e6, seed=seed)
    for columns in spec.training:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*columns))
    return linker


@contextmanager
def silent() -> Iterator[None]:
    """Splink tells its training step by step; a user wants the result."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def threshold_for(probabilities: Any, target: float) -> tuple[float, float, float]:
    """Lowest threshold with the expected precision, and expected precision and recall (of blocked pairs) there.

    ``probabilities`` are sorted downwards. Expected precision is the mean probability of the links.
    Raises :class:`DataError` where no two records resemble one another, or no threshold is good enough.
    """
    import numpy as np

    if not len(probabilities):
        raise DataError(
            "No two records resemble one another.", "", "Check that the columns hold what they say."
        )
    means = np.cumsum(probabilities) / np.arange(1, len(probabilities) + 1)
    fit = np.flatnonzero((means >= target) & (probabilities >= LOWEST))
    if not len(fit):
        raise DataError(
            f"No threshold gives an expected precision of {target:.1%}.",
            "The columns do not tell persons apart well enough.",
            "Add columns, or do not link.",
        )
    last = int(fit[-1])
    recall = float(probabilities[: last + 1].sum() / probabilities.sum())
    return float(probabilities[last]), float(means[last]), recall


def best_each(pairs: pd.DataFrame) -> pd.DataFrame:
    """Between two files each record has one partner at most: the likeliest pairs first."""
    left, right, kept = set(), set(), []
    for number, (one, other) in enumerate(zip(pairs["id_l"], pairs["id_r"], strict=True)):
        if one not in left and other not in right:
            left.add(one)
            right.add(other)
            kept.append(number)
    return pairs.iloc[kept].reset_index(drop=True)


def grouped(frames: list[pd.DataFrame], pairs: pd.DataFrame) -> pd.DataFrame:
    """Records of one person: whatever links join, directly or by way of others."""
    import numpy as np
    import pandas as pd
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids = pd.Index(np.concatenate([frame[ID].to_numpy() for frame in frames])).unique()
    one, other = (ids.get_indexer(pd.Index(pairs[name])) for name in ("id_l", "id_r"))
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(len(ids), len(ids)))
    _, group = connected_components(graph, directed=False)
    return pd.DataFrame({ID: ids, "group": group})
