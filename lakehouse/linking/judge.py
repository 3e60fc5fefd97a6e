"""Is a linkage good enough? Precision and recall with Wilson bounds, in each stratum; below 98 % it stops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse.errors import DataError, DisclosureRefused

if TYPE_CHECKING:
    import pandas as pd

    from lakehouse.linking.model import Links

LEAST = 0.98
ENOUGH = 800
"""Pairs from which a stratum is judged: with fewer, 98 % cannot be told from 97 %."""
ALARM_SHARE = 0.02
"""A source of which more than this share can be linked surely is not anonymous."""


def wilson(hits: int, of: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Two-sided 95 % Wilson bounds of a share."""
    if not of:
        return 0.0, 1.0
    share, square = hits / of, z * z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = z * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Agreement:
    """Links of one stratum against the truth: true pairs, links, and how many are both."""

    stratum: str
    true: int
    linked: int
    right: int

    @property
    def precision(self) -> float:
        """Share of links that are right."""
        return self.right / self.linked if self.linked else 1.0

    @property
    def recall(self) -> float:
        """Share of true pairs that were linked."""
        return self.right / self.true if self.true else 1.0

    @property
    def bounds(self) -> tuple[float, float]:
        """Lower Wilson bounds of precision and recall."""
        return wilson(self.right, self.linked)[0], wilson(self.right, self.true)[0]

    @property
    def judgeable(self) -> bool:
        """Whether there are enough pairs to say."""
        return self.true >= ENOUGH

    @property
    def good(self) -> bool:
        """Whether both bounds are at least 98 %."""
        return min(self.bounds) >= LEAST

    def __str__(self) -> str:
        low_p, low_r = self.bounds
        note = "" if self.judgeable else "  (too few pairs to judge)"
        return (
            f"{self.stratum:<24} pairs {self.true:>8,}  precision {self.precision:.4f} (>= {low_p:.4f})"
            f"  recall {self.recall:.4f} (>= {low_r:.4f}){note}"
        )


Pair = tuple[Any, Any]


def pairs_within(groups: pd.DataFrame, by: str, identifier: str = "unique_id") -> set[Pair]:
    """Every pair of records of one group."""
    found: set[Pair] = set()
    for members in groups.groupby(by)[identifier].apply(list):
        found.update(itertools.combinations(sorted(members), 2))
    return found


def judge(
    links: Iterable[Pair], truth: Iterable[Pair], strata: Mapping[Any, Iterable[str]]
) -> list[Agreement]:
    """Overall first, then each stratum. ``strata`` names those of a record; a pair is in those of either of its two."""
    linked, true = ({tuple(sorted(pair)) for pair in some} for some in (links, truth))
    counts: dict[str, list[int]] = {"overall": [len(true), len(linked), len(linked & true)]}
    for place, pairs in enumerate((true, linked, linked & true)):
        for pair in pairs:
            for name in {name for record in pair for name in strata.get(record, ())}:
                counts.setdefault(name, [0, 0, 0])[place] += 1
    return [Agreement(name, *counts[name]) for name in ["overall", *sorted(set(counts) - {"overall"})]]


def by_truth(
    frames: Sequence[pd.DataFrame], links: Links, truth: str, columns: Sequence[str]
) -> list[Agreement]:
    """Judge by a column that tells who is whom; strata by further columns of the first file that has them.

    Raises :class:`DataError` where no file has such a column.
    """
    import pandas as pd

    whole = pd.concat(frames, ignore_index=True)
    for name in (truth, *columns):
        if name not in whole.columns:
            raise DataError(
                f"No file has the column '{name}'.", "", f"There are: {', '.join(whole.columns)}."
            )
    strata = {
        record: [f"{name} {value}" for name, value in zip(columns, values, strict=True)]
        for record, *values in whole[["unique_id", *columns]].itertuples(index=False)
    }
    if len(frames) == 1:
        return judge(pairs_within(links.groups, "group"), pairs_within(whole, truth), strata)
    both = frames[0][["unique_id", truth]].merge(frames[1][["unique_id", truth]], on=truth)
    true = zip(both["unique_id_x"], both["unique_id_y"], strict=True)
    return judge(zip(links.pairs["id_l"], links.pairs["id_r"], strict=True), true, strata)


def reviewed(sample: pd.DataFrame) -> Agreement:
    """The precision of a sample that a person has looked at; :class:`DataError` for one that is not filled in."""
    told = sample["right"].astype(str).str.strip().str.removesuffix(".0") if "right" in sample else None
    if told is None or not told.isin(["0", "1"]).all():
        raise DataError(
            "The sample is not reviewed to its end.", "Every pair needs 1 or 0 in 'right'.", "Fill it in."
        )
    right = int((told == "1").sum())
    return Agreement("overall, reviewed", right, len(sample), right)


def require(judged: Iterable[Agreement]) -> None:
    """Stop unless every stratum with enough pairs is good; a :class:`DataError` names those that are not."""
    short = [
        each for each in judged if (each.judgeable or each.stratum.startswith("overall")) and not each.good
    ]
    if short:
        raise DataError(
            f"The linkage falls short of {LEAST:.0%} in: {', '.join(each.stratum for each in short)}.",
            "; ".join(" ".join(str(each).split()) for each in short) + ".",
            "Add columns, raise the target precision, or leave these persons out.",
        )


def clerical_sample(links: Links, size: int = ENOUGH, seed: int = 1) -> pd.DataFrame:
    """Pairs for a person to look at, half of them near the threshold; column ``right`` is theirs to fill (1 or 0)."""
    near = links.pairs.tail(len(links.pairs) // 5)
    some = near.sample(min(len(near), size // 2), random_state=seed)
    rest = links.pairs.drop(some.index)
    sample = rest.sample(min(len(rest), size - len(some)), random_state=seed)
    import pandas as pd

    return pd.concat([some, sample]).sample(frac=1, random_state=seed).assign(right="").reset_index(drop=True)


def linkability(links: Links, records: int) -> float:
    """Share of a source's records that can be linked with a probability of at least 98 %."""
    return links.pairs.loc[links.pairs["probability"] >= LEAST, "id_l"].nunique() / records


def alarm(links: Links, records: int) -> float:
    """The linkability alarm: :class:`DisclosureRefused` when a source that claims to be anonymous is not; else the share."""
    share = linkability(links, records)
    if share > ALARM_SHARE:
        raise DisclosureRefused(
            f"{share:.1%} of the records can be linked to persons with a probability of 98 % or more.",
            "A source that can be linked without identifiers is by that fact not anonymous.",
            "Treat it as personal data, or coarsen dates, places and names.",
        )
    return share
