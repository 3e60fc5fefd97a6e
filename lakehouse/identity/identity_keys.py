"""What tokens are computed from: person numbers and record keys in one canonical form, or why a number is nobody."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from lakehouse.arrow_text import text_buffers
from lakehouse.identity.person_numbers import TEST_SERIES, BadNumber, is_date, parse

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Digits = np.ndarray[Any, np.dtype[np.uint8]]
    Kinds = np.ndarray[Any, np.dtype[np.uint8]]

PLAIN = ("", "cpr", "replacement")
"""Kinds of plain numbers, by the number :func:`plain_numbers` gives them; 0 takes a closer look."""


def canonical(kind: str, issuer: str, value: str) -> bytes:
    """What a token is computed from; lengths in front keep (a, bc) and (ab, c) apart."""
    return b"".join(f"{len(part.encode())}:{part}".encode() for part in (kind, issuer, value))


@cache
def plain_days() -> Kinds:
    """Kind in :data:`PLAIN` of numbers that begin with day and month, (10000,) by ddmm as a number.

    Whether these are a date does not hang on the year, but for 29 February, which is left to :func:`parse`.
    """
    import numpy as np

    kinds = np.zeros(10_000, np.uint8)
    for number in range(10_000):
        day = f"{number:04d}"
        if is_date(f"{day}00") and day not in ("2902", "8902"):
            kinds[number] = 2 if number > 6099 else 1
    return kinds


def plain_numbers(values: pa.Array) -> tuple[Kinds, Digits]:
    """Kind in :data:`PLAIN` of each text, (n,), and the digits of those that have one, (n, 10); zeros for the others.

    Plain is nearly every number: ten ASCII digits, a date that needs no year, no series of test patients.
    """
    import numpy as np

    offsets, text = text_buffers(values)
    ten = np.diff(offsets) == 10
    if ten.all():
        letters = text[offsets[0] : offsets[-1]].reshape(len(values), 10)
    else:
        letters = np.zeros((len(values), 10), np.uint8)
        letters[ten] = text[offsets[:-1][ten][:, None] + np.arange(10)]
    digits = letters - np.uint8(ord("0"))
    numeric = (digits < 10).all(axis=1)
    day = np.where(numeric, digits[:, :4] @ np.array([1000, 100, 10, 1]), 0)
    serial = digits[:, 6:] @ np.array([1000, 100, 10, 1])
    kinds = plain_days()[day] * ~np.isin(serial, [int(each) for each in TEST_SERIES])
    digits[kinds == 0] = 0
    return kinds, digits


def person_identity(value: str, issuer: str) -> tuple[bytes | None, str]:
    """What one Danish person number is hashed as, or None and why it is nobody."""
    try:
        number = parse(value)
    except BadNumber as bad:
        return None, bad.reason
    if "test_person" in number.flags:
        return None, "test_person"
    return canonical(number.kind, issuer if number.kind == "d-ecpr" else "", number.value), ""


def person_identities(values: pa.Array, issuers: str | Sequence[str]) -> tuple[pa.Array, dict[int, str]]:
    """What Danish person numbers are hashed as, and the reasons of those who are nobody, by place.

    ``values`` are texts without nulls; identities are binary, null for nobody. ``issuers`` is one for all, or one
    each: a decentral replacement number is a person only together with its issuer; the others are national.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds, _ = plain_numbers(values)
    heads = pa.array([canonical(kind, "", "0" * 10)[:-10].decode() for kind in PLAIN])
    joined = pc.binary_join_element_wise(heads.take(pa.array(kinds)), values, "").cast(pa.binary())
    closer = np.flatnonzero(kinds == 0)
    if not len(closer):
        return joined, {}
    looked = [
        person_identity(value, issuers if isinstance(issuers, str) else issuers[place])
        for place, value in zip(closer.tolist(), values.take(pa.array(closer)).to_pylist(), strict=True)
    ]
    found = pa.array([identity for identity, _ in looked], pa.binary())
    reasons = {place: reason for place, (_, reason) in zip(closer.tolist(), looked, strict=True) if reason}
    return pc.replace_with_mask(joined, pa.array(kinds == 0), found), reasons


def key_identities(kind: str, issuer: str, values: pa.Array) -> pa.Array:
    """What record keys or foreign person ids are hashed as: equal values of one issuer are equal. Binary."""
    import pyarrow as pa
    import pyarrow.compute as pc

    head = canonical(kind, issuer, "")[:-2].decode()
    lengths = pc.binary_length(values).cast(pa.string())
    return pc.binary_join_element_wise(
        pc.binary_join_element_wise(pa.scalar(head), lengths, ""), values, ":"
    ).cast(pa.binary())
