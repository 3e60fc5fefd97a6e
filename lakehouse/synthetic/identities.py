"""Two registers of the same made-up Danes some years apart: what linking without identifiers is measured on.

Names by birth cohort, families at one address, twins, moves, marriages, æøå written otherwise, newborns without a
given name, people born abroad with names written differently and a birthday on 1 January, slips of the pen, gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse.freetext.names import read

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

OTHERWISE = (("å", "aa"), ("ø", "oe"), ("æ", "ae"), ("sen", "sson"), ("k", "c"))


@dataclass(frozen=True)
class Registers:
    """The two files, with column ``person`` as the truth, and the strata of each record by ``unique_id``."""

    first: pd.DataFrame
    second: pd.DataFrame
    strata: dict[str, tuple[str, ...]]

    @property
    def truth(self) -> set[tuple[str, str]]:
        """Pairs of records that are one person."""
        both = self.first.merge(self.second, on="person")
        return set(zip(both["unique_id_x"], both["unique_id_y"], strict=True))


def two_registers(persons: int, seed: int, *, errors: float = 1.0) -> Registers:
    """``persons`` made-up people in two files that share nine tenths of them; ``errors`` scales every defect."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    people = population(persons, rng)
    later = changed(people, rng, errors)
    keep = rng.random(persons)
    first = people[keep < 0.95].sample(frac=1, random_state=seed).reset_index(drop=True)
    second = later[keep > 0.05].sample(frac=1, random_state=seed + 1).reset_index(drop=True)
    first.insert(0, "unique_id", [f"a{number}" for number in range(len(first))])
    second.insert(0, "unique_id", [f"b{number}" for number in range(len(second))])
    whole = pd.concat([first, second])
    strata: dict[str, tuple[str, ...]] = {
        str(row.unique_id): (f"sex {row.truth_sex}", str(row.age), *(["born abroad"] if row.abroad else []))
        for row in whole.itertuples()
    }
    drop = ["truth_sex", "age", "abroad"]
    return Registers(first.drop(columns=drop), second.drop(columns=drop), strata)


def zipf(names: list[str], count: int, shift: Any, rng: np.random.Generator) -> list[str]:
    """Names whose frequency falls with their rank; ``shift`` turns the ranks, so that each cohort has its own."""
    import numpy as np

    weights = 1 / np.arange(3, len(names) + 3)
    ranks = rng.choice(len(names), count, p=weights / weights.sum())
    return [names[int(at)].capitalize() for at in (ranks + shift) % len(names)]


def population(persons: int, rng: np.random.Generator) -> pd.DataFrame:
    """Households of one to five with a family name and an address; twins among the children."""
    import numpy as np
    import pandas as pd

    listed = read("names.csv", "kind")
    men, women, family = (sorted(listed[kind]) for kind in ("given_m", "given_f", "family"))
    household = np.sort(rng.integers(0, max(1, persons // 2), persons))
    year = rng.integers(1930, 2025, persons)
    day = rng.integers(0, 365, persons)
    twin = np.zeros(persons, bool)
    twin[1:] = (household[1:] == household[:-1]) & (rng.random(persons - 1) < 0.03)
    for at in np.flatnonzero(twin):
        year[at], day[at] = year[at - 1], day[at - 1]
    abroad = rng.random(persons) < 0.12
    day = np.where(abroad & (rng.random(persons) < 0.2), 0, day)
    sex = np.where(rng.random(persons) < 0.5, "M", "F")
    cohort = (year - 1930) // 10 * 23
    given = np.where(sex == "M", zipf(men, persons, cohort, rng), zipf(women, persons, cohort, rng))
    names = np.array(zipf(family, int(household.max()) + 1, 0, rng), dtype=object)
    own = np.array(zipf(family, persons, 7, rng), dtype=object)
    last = np.where(rng.random(persons) < 0.75, names[household], own)
    streets = np.array(
        [f"{name}vej" for name in sorted(listed["family"])] + [f"{name}gade" for name in women], dtype=object
    )
    street_of = rng.integers(0, len(streets), int(household.max()) + 1)
    house = rng.integers(1, 180, int(household.max()) + 1)
    postcode = 1000 + rng.integers(0, 600, int(household.max()) + 1) * 15
    born = pd.to_datetime(pd.Series(year.astype(str))) + pd.to_timedelta(day, unit="D")
    return pd.DataFrame(
        {
            "person": np.arange(persons),
            "given_name": given.astype(object),
            "family_name": last,
            "former_name": None,
            "birth_date": born.dt.strftime("%Y-%m-%d").astype(object),
            "sex": sex.astype(object),
            "street": [f"{streets[street_of[h]].capitalize()} {house[h]}" for h in household],
            "postcode": [str(postcode[h]) for h in household],
            "truth_sex": sex,
            "age": np.select(
                [year >= 2024, year >= 2007, year >= 1960], ["newborn", "child", "adult"], "old"
            ),
            "abroad": abroad,
        }
    )


def changed(people: pd.DataFrame, rng: np.random.Generator, errors: float) -> pd.DataFrame:
    """The same people as another register has them some years later."""
    import numpy as np

    later = people.copy()
    count = len(later)

    def some(share: float) -> np.ndarray[Any, Any]:
        return np.flatnonzero(rng.random(count) < share * errors)

    moved = some(0.12)
    other = rng.permutation(moved)
    for name in ("street", "postcode"):
        later.loc[moved, name] = people[name].to_numpy()[other]
    married = [at for at in some(0.06) if people.at[at, "sex"] == "F" and people.at[at, "age"] == "adult"]
    later.loc[married, "former_name"] = people.loc[married, "family_name"].to_numpy()
    later.loc[married, "family_name"] = people["family_name"].to_numpy()[
        rng.permutation(count)[: len(married)]
    ]
    for name in ("given_name", "family_name", "street"):
        for at in some(0.02):
            later.at[at, name] = slipped(str(later.at[at, name]), rng)
        for at in some(0.03):
            later.at[at, name] = otherwise(str(later.at[at, name]))
    for at in [at for at in some(0.25) if people.at[at, "abroad"]]:
        later.at[at, "given_name"] = slipped(str(later.at[at, "given_name"]), rng)
    for at in some(0.004):
        year, month, day = str(later.at[at, "birth_date"]).split("-")
        later.at[at, "birth_date"] = (
            f"{year}-{day}-{month}" if int(day) <= 12 else f"{year}-{month}-{int(day) - 1:02d}"
        )
    for name, share in (("street", 0.02), ("postcode", 0.01), ("given_name", 0.002)):
        later.loc[some(share), name] = None
    newborn = np.flatnonzero((people["age"] == "newborn").to_numpy() & (rng.random(count) < 0.1 * errors))
    later.loc[newborn, "given_name"] = None
    return later


def slipped(word: str, rng: np.random.Generator) -> str:
    """One letter dropped, doubled or changed."""
    if len(word) < 3:
        return word
    at = int(rng.integers(1, len(word) - 1))
    return (
        word[:at] + ("", word[at] * 2, "aeirnst"[int(rng.integers(7))])[int(rng.integers(3))] + word[at + 1 :]
    )


def otherwise(word: str) -> str:
    """Written otherwise by somebody who heard it."""
    for one, other in OTHERWISE:
        if one in word:
            return word.replace(one, other, 1)
    return word
