"""SAS7BDAT files as columns of text: numbers, days and moments written as every other form of delivery writes them.

Runs inside a Python worker, on clear text: nothing here may log, raise or return a value but to pseudonymisation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lakehouse.delivery.readers.chunks import Chunk, file_digest, row_chunks
from lakehouse.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

STEP_ROWS = 100_000
MOMENT = re.compile(r"(E8601|B8601)?(DATETIME|DATEAMPM|DT)")
DAY = re.compile(r"(DATE|DDMMYY|MMDDYY|YYMMDD|YYMM|MONYY|JULIAN|WEEKDA|(E8601|B8601)DA|NLDATE|EURDFDD)")
CLOCK = re.compile(r"((E8601|B8601)TM|TIME|HHMM|TOD)")
EPOCH = "1960-01-01"


def survey_sas(name: str, path: Path) -> tuple[str, list[str], list[Chunk]]:
    """Digest, column names and chunks, from the file's own header.

    Raises :class:`DataError` where the file is not complete.
    """
    import pyreadstat

    sha256 = file_digest(path)
    try:
        _, about = pyreadstat.read_sas7bdat(path, metadataonly=True)
    except Exception:
        raise DataError(
            f"{name} is no complete SAS file.",
            "It was cut on its way or is something else.",
            "Fetch it again.",
        ) from None
    return sha256, list(about.column_names), row_chunks(sha256[:16], path, "sas", about.number_rows or 0)


def sas_columns(chunk: Chunk, columns: tuple[str, ...], decimal: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Some thousand rows at a time: text by name of ``columns`` (the field each header fills), and how many."""
    import pyreadstat

    _, about = pyreadstat.read_sas7bdat(chunk.path, metadataonly=True)
    wanted = {header: field for header, field in zip(about.column_names, columns, strict=True) if field}
    for start in range(chunk.start, chunk.stop, STEP_ROWS):
        rows, _ = pyreadstat.read_sas7bdat(
            chunk.path,
            usecols=list(wanted),
            row_offset=start,
            row_limit=min(STEP_ROWS, chunk.stop - start),
            disable_datetime_conversion=True,
            output_format="dict",
        )
        texts = {
            field: as_text(rows[header], sas_format(about, header), decimal)
            for header, field in wanted.items()
        }
        yield texts, len(next(iter(texts.values())))


def sas_format(about: Any, header: str) -> str:
    """The SAS format of a column; ``$`` for text without one."""
    form = str(about.original_variable_types.get(header) or "").upper()
    text = about.readstat_variable_types.get(header) == "string"
    return f"${form.removeprefix('$')}" if text else form.removeprefix("$")


def as_text(values: Any, form: str, decimal: str) -> pa.ChunkedArray:
    """One column as text, by its SAS format; missing and empty values are null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if form.startswith("$"):
        given = [each if isinstance(each, str) and each.strip() else None for each in values]
        return pa.chunked_array([pa.array(given, pa.string())])
    number = np.array(values, np.float64)
    missing = np.isnan(number)
    if MOMENT.match(form):
        text = clock_text(number, missing, "s", "T", " ")
    elif DAY.match(form):
        text = clock_text(number, missing, "D", "", "")
    elif CLOCK.match(form):
        seconds = np.where(missing | (number < 0) | (number > 86400), 0, number).astype(int)
        text = np.array(
            [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in seconds.tolist()], object
        )
        text[(number < 0) | (number > 86400)] = "no time of day"
    else:
        return number_text(pa.array(number, mask=missing), decimal)
    return pa.chunked_array([pc.if_else(pa.array(missing), None, pa.array(text, pa.string()))])


def clock_text(number: Any, missing: Any, unit: Literal["D", "s"], old: str, new: str) -> Any:
    """SAS days or seconds since 1960 as ISO text; what lies outside the calendar stays a number (and is refused)."""
    import numpy as np

    limit = 2.9e6 if unit == "D" else 2.5e11
    wild = ~missing & (np.abs(number) > limit)
    counts = np.where(missing | wild, 0, number).astype(np.int64)
    moments = np.datetime64(EPOCH, unit) + counts.astype(f"timedelta64[{unit}]")
    text = np.datetime_as_string(moments).astype(object)
    if old:
        text = np.array([each.replace(old, new) for each in text.tolist()], object)
    text[wild] = "outside the calendar"
    return text


def number_text(column: pa.Array | pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """Numbers as the declaration writes them: whole ones without a decimal sign, none with an exponent."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = column.cast(pa.string())
    odd = pc.match_substring(text, "e")
    if pc.any(odd).as_py():
        plain = (
            [
                f"{value:f}" if hit else known
                for value, hit, known in zip(
                    column.to_pylist(), odd.to_pylist(), text.to_pylist(), strict=True
                )
            ]
            if decimal == ","
            else text.to_pylist()
        )
        text = pa.array(plain, pa.string())
    if decimal == ",":
        text = pc.replace_substring(text, ".", ",")
    return text if isinstance(text, pa.ChunkedArray) else pa.chunked_array([text])
