"""Gold of fixed deliveries as hashes beside its form: whoever computes gold differently must raise the form.

A lake is rebuilt by the next ingest only where :data:`lakehouse.gold.build.FORM` has been raised. So a change of what
gold holds, with the form as it was, would leave lakes of two kinds under one name. The hashes stand in
``gold_form.json`` with the form they were taken under, and with a digest of the delivery that gold was built from.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lakehouse.data_model import GOLD
from lakehouse.gold.build import FORM
from lakehouse.settings import Settings
from tests.support.delta_files import active_files

NOTED = Path(__file__).with_suffix(".json")
WRITE = "WRITE_GOLD_FORM"
"""Environment variable under which the hashes are written anew, where that is allowed."""
DIGITS = 9
"""Significant digits of a number: sums of the same numbers in another order agree in them."""


def fix_root_key(settings: Settings) -> None:
    """Give a home a root key known beforehand, so that its tokens, and all that follows from them, are always the same."""
    settings.keys.mkdir(parents=True, mode=0o700)
    key = settings.keys / "root.key"
    key.write_bytes(hashlib.sha256(b"the form of gold").digest())
    key.chmod(0o600)


def as_text(value: Any) -> str:
    """A value as text that hangs on no library's version."""
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(as_text, value))}]"
    return "-" if value is None else str(value)


def columns_of(table: Path) -> list[dict[str, list[Any]]]:
    """Columns of each file of a table's newest version."""
    found = []
    for path in active_files(table):
        with pq.ParquetFile(table / path) as file:
            found.append(file.read().to_pydict())
    return found


def table_hash(table: Path, named: Mapping[str, str] | None = None) -> str:
    """Hash of a table's newest version: its rows as text in order, whatever files they lie in.

    A delivered file stands under its name in ``named``: its id is a digest, which the time in a SAS file's head changes.
    """
    rows: list[str] = []
    for columns in columns_of(table):
        if "file_id" in columns and named is not None:
            columns["file_id"] = [each and named[each] for each in columns["file_id"]]
        names = sorted(columns)
        rows += [
            "\t".join(f"{name}={as_text(value)}" for name, value in zip(names, row, strict=True))
            for row in zip(*(columns[name] for name in names), strict=True)
        ]
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


def hashes_of(settings: Settings) -> dict[str, str]:
    """Hash of every gold table of a lake, by name."""
    named: dict[str, str] = {}
    for columns in columns_of(settings.lake / "meta" / "ingest"):
        named |= dict(zip(columns["file_id"], columns["name"], strict=True))
    return {name: table_hash(settings.lake / name.replace(".", "/"), named) for name in sorted(GOLD)}


def delivery_hash(delivery: Path) -> str:
    """Hash of a delivery's files; of SAS files, in whose head the time stands, their names and sizes alone."""
    whole = hashlib.sha256()
    for path in sorted(path for path in delivery.rglob("*") if path.is_file()):
        content = path.read_bytes()
        said = str(len(content)).encode() if path.suffix == ".sas7bdat" else content
        whole.update(path.relative_to(delivery).as_posix().encode() + b"\n" + said + b"\n")
    return whole.hexdigest()


def complaint(noted: dict[str, Any], found: dict[str, Any]) -> str:
    """What differs between what is noted and what was found (``form``, ``delivery``, ``tables``); empty: nothing."""
    if noted == found:
        return ""
    again = f"Write the new hashes by running this test with {WRITE}=1."
    if noted.get("form") != found["form"]:
        return f"The form of gold was raised to {found['form']}. {again}"
    if noted.get("delivery") != found["delivery"]:
        return f"The delivery of this test is another one. {again}"
    tables = [name for name, digest in found["tables"].items() if noted["tables"].get(name) != digest]
    return (
        f"{', '.join(tables)} is computed differently while the form of gold stays {found['form']}, so lakes would not "
        f"be rebuilt. Raise FORM in lakehouse/gold/build.py. {again}"
    )


def require_form(name: str, settings: Settings, delivery: Path) -> None:
    """Raise :class:`AssertionError` where gold of a delivery is not what was noted for it under this form.

    With ``WRITE_GOLD_FORM`` set it is noted instead, unless only gold has changed: then the form must be raised first.
    """
    found = {"form": FORM, "delivery": delivery_hash(delivery), "tables": hashes_of(settings)}
    all_noted = json.loads(NOTED.read_text(encoding="utf-8")) if NOTED.is_file() else {}
    wrong = complaint(all_noted.get(name, {}), found)
    if wrong and os.environ.get(WRITE) and "Raise FORM" not in wrong:
        NOTED.write_text(json.dumps(all_noted | {name: found}, indent=1) + "\n", encoding="utf-8")
        return
    assert not wrong, wrong
