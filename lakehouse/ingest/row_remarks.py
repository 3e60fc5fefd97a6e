"""What pseudonymisation remarks on rows that go on: how a number was read, what was padded; judgements over two columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from lakehouse.arrow_text import coded, places_of
from lakehouse.declarations.convert import as_date
from lakehouse.declarations.schema import DatedCodes, KnownPairs
from lakehouse.identity.identity_keys import PLAIN, plain_numbers
from lakehouse.identity.person_numbers import WEIGHTS, BadNumber, century_of, parse

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SEX_DIGIT = {"M": "M", "K": "F", "F": "F", "1": "M", "2": "F"}
"""Sex as registers write it, to be held against the number's last digit."""
SEXES = ("", "M", "F")


@dataclass
class Marks:
    """Remarks on the rows of a block: a mask for each name."""

    rows: int
    masks: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def add(self, name: str, hit: np.ndarray[Any, Any]) -> None:
        """Remark ``name`` on the rows hit."""
        if hit.any():
            known = self.masks.get(name)
            self.masks[name] = hit if known is None else known | hit

    def column(self) -> pa.Array:
        """The names of each row with commas between, null where there are none. Each combination is written once."""
        import numpy as np
        import pyarrow as pa

        if not self.masks:
            return pa.nulls(self.rows, pa.string())
        names = sorted(self.masks)
        packed = np.zeros(self.rows, np.int64)
        for bit, name in enumerate(names):
            packed |= self.masks[name].astype(np.int64) << bit
        kinds, at = np.unique(packed, return_inverse=True)
        texts = [",".join(n for bit, n in enumerate(names) if kind >> bit & 1) or None for kind in kinds]
        return pa.array(texts, pa.string()).take(pa.array(at))


def number_remarks(text: str) -> tuple[str, ...]:
    """How a person number was read: its kind when it is no plain number, a failing modulus 11, an odd century."""
    try:
        number = parse(text)
    except BadNumber:
        return ()
    kind = () if number.kind == "cpr" else (f"number_{number.kind.replace('-', '_')}",)
    plain = number.kind == "cpr" and not number.mod11_ok
    return (*kind, *(("number_without_mod11",) if plain else ()), *number.flags)


def remarks_of(values: pa.Array) -> dict[str, np.ndarray[Any, Any]]:
    """What :func:`number_remarks` says of each text: a mask (n,) for each remark that is made.

    Each mask is [text].
    """
    import numpy as np

    kinds, digits = plain_numbers(values)
    mod11_ok = digits @ np.array(WEIGHTS) % 11 == 0
    year = digits[:, 4:6] @ np.array([10, 1])
    masks = {
        "number_replacement": kinds == PLAIN.index("replacement"),
        "number_without_mod11": (kinds == PLAIN.index("cpr")) & ~mod11_ok,
        "implausible_century": (kinds > 0) & (centuries()[digits[:, 6], year] == 1800),
    }
    closer = np.flatnonzero(kinds == 0)
    for place, text in zip(closer.tolist(), values.take(closer).to_pylist(), strict=True):
        for name in number_remarks(text):
            masks.setdefault(name, np.zeros(len(values), bool))[place] = True
    return {name: told for name, told in masks.items() if told.any()}


@cache
def centuries() -> np.ndarray[Any, Any]:
    """Century by seventh digit and two-digit year, (10, 100). The array is [seventh digit, year]."""
    import numpy as np

    return np.array([[century_of(seventh, year) for year in range(100)] for seventh in range(10)])


def number_sex(text: str) -> str:
    """The sex a person number says, M or F; empty when it is none."""
    try:
        return parse(text).sex
    except BadNumber:
        return ""


def sexes_of(values: pa.Array) -> np.ndarray[Any, Any]:
    """What :func:`number_sex` says of each text, (n,), as its place in :data:`SEXES`. The array is [text]."""
    import numpy as np

    kinds, digits = plain_numbers(values)
    sexes = np.where(digits[:, 9] % 2 == 1, SEXES.index("M"), SEXES.index("F"))
    closer = np.flatnonzero(kinds == 0)
    sexes[closer] = [SEXES.index(number_sex(text)) for text in values.take(closer).to_pylist()]
    return sexes


def sex_differs(told: np.ndarray[Any, Any], delivered: Any) -> np.ndarray[Any, Any]:
    """Whether a number says another sex than its row, (n,), from :func:`sexes_of` by row. The register is believed."""
    import numpy as np

    texts, places = coded(delivered)
    meant = [SEXES.index(SEX_DIGIT.get(text.strip().upper(), "")) for text in texts.to_pylist()]
    row = np.array([*meant, 0])[places_of(places, len(meant))]
    return np.asarray((told > 0) & (row > 0) & (told != row))


def not_valid_then(declared: DatedCodes) -> Callable[[str, str], bool]:
    """What says of a code and a day's text that the code was not in use that day; unreadable days are not judged."""

    def faulty(code: str, day: str) -> bool:
        date = as_date(day)
        spans = declared.spans.get(code.strip().upper())
        if date is None:
            return False
        if spans is None:
            return True
        return not any(
            (not first or first <= date.isoformat()) and (not last or date.isoformat() <= last)
            for first, last in spans
        )

    return faulty


def not_known(declared: KnownPairs, pairs: frozenset[tuple[str, str]]) -> Callable[[str, str], bool]:
    """What says of two texts that their pair is not in the list, though the first of them is."""
    firsts = {first for first, _ in pairs}

    def faulty(first: str, second: str) -> bool:
        code = first.strip().upper()
        return code in firsts and (code, second.strip()) not in pairs

    return faulty


def pairs_of(one: Any, other: Any, empty: bool = False) -> tuple[list[tuple[str, str]], np.ndarray[Any, Any]]:
    """Distinct pairs of two text columns and where each row's pair is (-1: one of them is empty)."""
    import numpy as np
    import pyarrow.compute as pc

    codes = [coded(one), coded(pc.fill_null(other, "") if empty else other)]
    places = [places_of(at, -1).astype(np.int64) for _, at in codes]
    width = len(codes[1][0]) + 1
    packed = np.where((places[0] < 0) | (places[1] < 0), -1, places[0] * width + places[1])
    kinds, at = np.unique(packed, return_inverse=True)
    left, right = (texts.to_pylist() for texts, _ in codes)
    pairs = [(left[kind // width], right[kind % width]) if kind >= 0 else ("", "") for kind in kinds.tolist()]
    at = at.astype(np.int64)
    if len(kinds) and kinds[0] < 0:
        pairs, at = pairs[1:], at - 1
    return pairs, at
