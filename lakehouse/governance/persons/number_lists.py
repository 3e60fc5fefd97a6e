"""Clear numbers as the data unit hands them in: a file of lines, to tokens, and never into an argument or a message."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.errors import DataError
from lakehouse.identity.person_numbers import parse
from lakehouse.identity.pseudonyms import key_tokens, person_tokens, root_key_file

if TYPE_CHECKING:
    from lakehouse.settings import Settings


def read_numbers(
    settings: Settings, path: Path, kind: str = "cpr", issuer: str = ""
) -> tuple[list[str], list[str]]:
    """Lake tokens of the numbers in a file (``number`` or ``number;issuer`` a line), and the numbers as written.

    ``kind`` and ``issuer`` are for foreign data: the identifier's kind (``omop``, ``meds``) and the data set.
    A command takes a file because arguments can be read by everybody on the machine. Raises :class:`DataError` where
    there is no file, it names nobody, or a line is no person number.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.", "", "Write one number a line into it.")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path} names nobody.", "", "Write one number a line into it.")
    key = root_key_file(settings, create=False)
    if kind != "cpr":
        return key_tokens(str(key), "person", kind, issuer, lines), lines
    split = [line.partition(";") for line in lines]
    tokens, reasons = person_tokens(
        str(key), [number for number, _, _ in split], [issuer for _, _, issuer in split]
    )
    if bad := [f"line {at} ({reason})" for at, reason in enumerate(reasons, 1) if reason]:
        raise DataError(
            f"{path} holds lines that are no person number: {', '.join(bad[:10])}.",
            "A number that is read wrongly would be somebody else's.",
            "Correct these lines.",
        )
    return [token for token in tokens if token], [parse(number).value for number, _, _ in split]
