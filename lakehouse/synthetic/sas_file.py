"""SAS7BDAT files for synthetic deliveries and tests, by the writer inside pyreadstat's compiled module.

The library writes no SAS files from Python, but its C part can; SAS itself may refuse what comes out, pyreadstat
and pandas read it. https://github.com/WizardMac/ReadStat
"""

from __future__ import annotations

import ctypes
import datetime
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from lakehouse.errors import DataError

STRING, DOUBLE = 0, 5
EPOCH = datetime.datetime(1960, 1, 1)
Value = str | float | int | datetime.date | datetime.datetime | None
WRITE = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)


@cache
def library() -> ctypes.CDLL:
    """The compiled writer, with the types of what is called in it."""
    from pyreadstat import _readstat_writer

    found = ctypes.CDLL(_readstat_writer.__file__)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_double
    for name, result, arguments in (
        ("readstat_writer_init", pointer, []),
        ("readstat_set_data_writer", ctypes.c_int, [pointer, WRITE]),
        ("readstat_add_variable", pointer, [pointer, text, ctypes.c_int, ctypes.c_size_t]),
        ("readstat_variable_set_format", None, [pointer, text]),
        ("readstat_begin_writing_sas7bdat", ctypes.c_int, [pointer, pointer, ctypes.c_long]),
        ("readstat_begin_row", ctypes.c_int, [pointer]),
        ("readstat_end_row", ctypes.c_int, [pointer]),
        ("readstat_insert_string_value", ctypes.c_int, [pointer, pointer, text]),
        ("readstat_insert_double_value", ctypes.c_int, [pointer, pointer, number]),
        ("readstat_insert_missing_value", ctypes.c_int, [pointer, pointer]),
        ("readstat_end_writing", ctypes.c_int, [pointer]),
        ("readstat_writer_free", None, [pointer]),
    ):
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


def write_sas(path: Path, columns: Mapping[str, str], rows: Iterable[Sequence[Value]]) -> int:
    """Write rows and return how many.

    ``columns`` gives for each name ``"$"`` (text), ``""`` (number) or a SAS format such as ``DATE9.`` or
    ``DATETIME20.``, under which dates and datetimes are numbers since 1960. Text is as wide as its longest value.
    """
    kept = [list(row) for row in rows]
    lib = library()
    with path.open("wb") as handle:

        def put(data: int, length: int, context: object) -> int:
            return handle.write(ctypes.string_at(data, length))

        writing = WRITE(put)
        writer = lib.readstat_writer_init()
        try:
            check(path, lib.readstat_set_data_writer(writer, writing))
            variables = []
            for place, (name, form) in enumerate(columns.items()):
                texts = (row[place] for row in kept) if form == "$" else ()
                width = max((len(text.encode()) for text in texts if isinstance(text, str)), default=1)
                kind = STRING if form == "$" else DOUBLE
                variable = lib.readstat_add_variable(writer, name.encode(), kind, width if form == "$" else 0)
                if form not in ("", "$"):
                    lib.readstat_variable_set_format(variable, form.encode())
                variables.append(variable)
            check(path, lib.readstat_begin_writing_sas7bdat(writer, None, len(kept)))
            for row in kept:
                check(path, lib.readstat_begin_row(writer))
                for variable, value in zip(variables, row, strict=True):
                    check(path, insert(lib, writer, variable, value))
                check(path, lib.readstat_end_row(writer))
            check(path, lib.readstat_end_writing(writer))
        finally:
            lib.readstat_writer_free(writer)
    return len(kept)


def insert(lib: ctypes.CDLL, writer: int, variable: int, value: Value) -> int:
    """Put one value; an empty text and None are missing."""
    if value is None or value == "":
        return int(lib.readstat_insert_missing_value(writer, variable))
    if isinstance(value, str):
        return int(lib.readstat_insert_string_value(writer, variable, value.encode()))
    return int(lib.readstat_insert_double_value(writer, variable, as_number(value)))


def as_number(value: float | datetime.date | datetime.datetime) -> float:
    """Days or seconds since 1960 of dates and datetimes; numbers as they are."""
    if isinstance(value, datetime.datetime):
        return (value - EPOCH).total_seconds()
    if isinstance(value, datetime.date):
        return float((value - EPOCH.date()).days)
    return float(value)


def check(path: Path, code: int) -> None:
    """Raise :class:`DataError` when the library reports an error."""
    if code:
        raise DataError(f"{path.name} could not be written as a SAS file (error {code}).", "", "")
