"""What the door remarks on rows that go on: how a number was read, what was padded; and judgements over two columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lakehouse.convert import as_date
from lakehouse.cpr import BadNumber, parse
from lakehouse.schema import Dated, Known

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SEX_DIGIT = {"M": "M", "K": "F", "F": "F", "1": "M", "2": "F"}
"""Sex as registers write it, to be held against the number's last digit."""


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


def other_sex(text: str, sex: str) -> bool:
    """Whether a real number's last digit says another sex than the register. The register is believed."""
    try:
        number = parse(text)
    except BadNumber:
        return False
    told = SEX_DIGIT.get(sex.strip().upper())
    return told is not None and told != number.sex


def not_valid_then(declared: Dated) -> Callable[[str, str], bool]:
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


def not_known(declared: Known, pairs: frozenset[tuple[str, str]]) -> Callable[[str, str], bool]:
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

    first, second = (
        column.combine_chunks() if hasattr(column, "chunks") else column for column in (one, other)
    )
    if empty:
        second = pc.fill_null(second, "")
    codes = [column.dictionary_encode() for column in (first, second)]
    places = [code.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) for code in codes]
    width = len(codes[1].dictionary) + 1
    packed = np.where((places[0] < 0) | (places[1] < 0), -1, places[0] * width + places[1])
    kinds, at = np.unique(packed, return_inverse=True)
    left, right = (code.dictionary.to_pylist() for code in codes)
    pairs = [(left[kind // width], right[kind % width]) if kind >= 0 else ("", "") for kind in kinds.tolist()]
    at = at.astype(np.int64)
    if len(kinds) and kinds[0] < 0:
        pairs, at = pairs[1:], at - 1
    return pairs, at
