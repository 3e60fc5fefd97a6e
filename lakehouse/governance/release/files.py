"""Files of a release: copied aside with measured numbers cut to their honest digits, hashed, written whole."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.governance.output_gate.folder import EVIDENCE, MANIFEST


def copied(source: Path, target: Path, digits: int) -> dict[str, str]:
    """Copy what may leave (and, beside it, what the gate needs); SHA-256 of each file by its name.

    Measured numbers in Parquet files keep ``digits`` significant digits: the rest is noise, and could be a message.
    """
    for path in sorted(one for one in source.rglob("*") if one.is_file() and not one.is_symlink()):
        to = target / path.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.suffix == ".parquet" and (source / EVIDENCE) not in path.parents:
            pq.write_table(honest(pq.read_table(path), digits), to, compression="snappy")
        else:
            shutil.copyfile(path, to)
        to.chmod(0o600)
    return digests_of(target)


def honest(table: pa.Table, digits: int) -> pa.Table:
    """The table with every float cut to so many significant digits, nulls and types kept."""
    for place, field in enumerate(table.schema):
        column = table.column(place).combine_chunks()
        if pa.types.is_floating(field.type):
            table = table.set_column(place, field, _cut(column, digits))
        elif pa.types.is_list(field.type) and pa.types.is_floating(field.type.value_type):
            parts = [_listed(chunk, digits) for chunk in table.column(place).chunks]
            table = table.set_column(place, field, pa.chunked_array(parts, field.type))
    return table


def _cut(column: pa.Array, digits: int) -> pa.Array:
    """A float column cut; nulls and type kept."""
    values = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    return pa.array(significant(values, digits), mask=np.asarray(column.is_null())).cast(column.type)


def _listed(column: pa.Array, digits: int) -> pa.Array:
    """A column of lists of floats cut; the lists and nulls kept."""
    whole = [
        None if row is None else significant(np.array(row, dtype=np.float64), digits)
        for row in column.to_pylist()
    ]
    return pa.array([None if row is None else row.tolist() for row in whole], column.type)


def significant(values: np.ndarray, digits: int) -> np.ndarray:
    """Numbers [value] rounded to so many significant digits; zero, infinity and NaN stay."""
    whole = np.isfinite(values) & (values != 0)
    power = np.zeros(len(values))
    power[whole] = digits - 1 - np.floor(np.log10(np.abs(values[whole])))
    with np.errstate(over="ignore", invalid="ignore"):
        scale = 10.0 ** np.clip(power, -290, 290)
        cut = np.round(values * scale) / scale
    return np.where(whole, cut, values)


def digests_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its name there; links count as files of their own name."""
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*")) if path.is_file() or path.is_symlink()
    }  # fmt: skip


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, hex; of a link, that it is one."""
    if path.is_symlink():
        return "link"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def leaving(files: dict[str, str]) -> list[str]:
    """Names of the files that leave: not the description and not the evidence."""
    return sorted(name for name in files if name != MANIFEST and not name.startswith(f"{EVIDENCE}/"))
