"""What lies in a delivery folder: its format, its files with their tables, and what its note says."""

from __future__ import annotations

import calendar
import datetime
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

from lakehouse.declarations.schema import Source, Table
from lakehouse.errors import DataError, UsageError
from lakehouse.identity.person_numbers import scrub
from lakehouse.settings import read_toml

REAL = "real"
KINDS = ("synthetic", "foreign", REAL)
"""Kinds of persons, of a delivery and of the lake it makes."""
NOTE = "delivery.toml"
FORMATS = ("auto", "danish", "omop", "meds")
DATED_FOLDER = re.compile(
    r"(?P<name>[a-zæøå]{3,9})[_-]?(?P<named_year>\d{4})|(?P<year>\d{4})-?(?P<month>\d\d)(-?(?P<day>\d\d))?"
)
ENDING = re.compile(r"(\.(csv|txt|sas7bdat|parquet|n?d?json))?(\.gz)?$")
MONTH_NAMES = {
    name: number
    for number, names in enumerate("jan feb mar apr maj/may jun jul aug sep okt/oct nov dec".split(), 1)  # noqa: SIM905
    for name in names.split("/")
}
FORM_HELP = (
    "A Danish delivery has a delivery.toml or folders such as cpr and lpr_f, an OMOP folder a person table, "
    "a MEDS data set Parquet files with subject_id, time and code under data."
)


@dataclass(frozen=True)
class DeliveredFile:
    """A file of the delivery and a table it belongs to; ``name`` is its path below the delivery.

    ``dated`` is the day a dated folder above it names, as re-deliveries have it.
    """

    path: Path
    name: str
    source: Source
    table: Table
    dated: datetime.date | None = None


@dataclass(frozen=True)
class Delivery:
    """A recognised delivery. ``issuer`` keeps the ids of foreign data sets apart; Danish ids are national."""

    root: Path
    format: str
    kind: str
    issuer: str
    delivered: datetime.date | None
    covers_from: datetime.date | None
    covers_to: datetime.date | None
    files: tuple[DeliveredFile, ...]
    ignored: tuple[str, ...]


def all_sources() -> dict[str, list[Source]]:
    """Every declared source by format: one module in ``lakehouse.sources`` each, found by looking there."""
    import lakehouse.sources as package

    found: dict[str, list[Source]] = {}
    for module in sorted(each.name for each in pkgutil.iter_modules(package.__path__)):
        source: Source = import_module(f"{package.__name__}.{module}").SOURCE
        found.setdefault(source.format, []).append(source)
    return found


def find_delivery(folder: Path, format: str = "auto") -> Delivery:
    """Recognise a folder; :class:`DataError` says what was looked for, :class:`UsageError` is for an unknown format."""
    if format not in FORMATS:
        raise UsageError(f"There is no format '{format}'.", "", f"Known: {', '.join(FORMATS)}.")
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", "", "Name the folder of the delivery.")
    inner = folder / "delivery"
    root = inner if not (folder / NOTE).is_file() and inner.is_dir() else folder
    note = read_toml(root / NOTE) if (root / NOTE).is_file() else {}
    if format == "auto":
        format = note.get("format") or guess_format(root)
    if format not in FORMATS[1:]:
        raise DataError(
            f"{root / NOTE} names the format '{format}'.", "", f"Known: {', '.join(FORMATS[1:])}."
        )
    files, ignored = sort_files(root, all_sources()[format])
    if not files:
        raise DataError(f"No file of the format {format} lies in {root}.", FORM_HELP, "Check the folder.")
    kind = note.get("kind", "real" if format == "danish" else "foreign")
    if kind not in KINDS:
        raise DataError(f"{root / NOTE} names the kind '{kind}'.", "", f"Known: {', '.join(KINDS)}.")
    return Delivery(
        root=root,
        format=format,
        kind=kind,
        issuer="" if format == "danish" else str(note.get("issuer") or issuer_of(root, format)),
        delivered=as_date(note, "delivered"),
        covers_from=as_date(note, "covers_from"),
        covers_to=as_date(note, "covers_to"),
        files=tuple(files),
        ignored=tuple(ignored),
    )


def as_date(note: dict[str, Any], key: str) -> datetime.date | None:
    """A date of the note, written as a TOML date or as text. Raises :class:`DataError` where it is neither."""
    value = note.get(key)
    if value is None or isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        raise DataError(f"{NOTE} gives {key} = '{value}', which is no date.", "", "Use 2025-01-31.") from None


def visible_files(root: Path) -> Iterator[tuple[Path, PurePosixPath]]:
    """Every file below the root that is not hidden, in order, with its path below the root."""
    for path in sorted(root.rglob("*")):
        below = PurePosixPath(path.relative_to(root).as_posix())
        if path.is_file() and not any(part.startswith((".", "_")) for part in below.parts):
            yield path, below


def sort_files(root: Path, sources: list[Source]) -> tuple[list[DeliveredFile], list[str]]:
    """Files that belong to a declared table, and the names of those that do not."""
    found, ignored = [], []
    for path, below in visible_files(root):
        for source in sources:
            if tables := source.tables_of(below):
                name = scrub(str(below))
                found += [DeliveredFile(path, name, source, table, dated_by(name)) for table in tables]
                break
        else:
            if below.name != NOTE:
                ignored.append(scrub(str(below)))
    return found, ignored


def dated_by(name: str) -> datetime.date | None:
    """The last day a dated folder on the way to a file stands for, None without such a folder."""
    days = [folder_date(part) for part in PurePosixPath(name.lower()).parts[:-1]]
    return max((day for day in days if day is not None), default=None)


def folder_date(name: str) -> datetime.date | None:
    """``december_2023``, ``2023-12``, ``2023-12-01`` or ``20231201`` as a day; a month is its last day."""
    found = DATED_FOLDER.fullmatch(name)
    if found is None:
        return None
    month = MONTH_NAMES.get(found["name"][:3]) if found["name"] else int(found["month"])
    year, day = int(found["year"] or found["named_year"]), found["day"]
    try:
        if day:
            return datetime.date(year, month or 0, int(day))
        return datetime.date(year, month or 0, calendar.monthrange(year, month or 0)[1])
    except (ValueError, calendar.IllegalMonthError):
        return None


def series_name(name: str) -> str:
    """What a file is called whenever and in whatever form it is delivered: no dated folder, no ending, lower case."""
    parts = PurePosixPath(name.lower()).parts
    kept = [part for part in parts[:-1] if folder_date(part) is None]
    return "/".join([*kept, ENDING.sub("", parts[-1])])


def guess_format(root: Path) -> str:
    """The format of a folder without a note.

    Raises :class:`DataError` where the folder is no delivery that is known.
    """
    names = [str(below).lower() for _, below in visible_files(root)]
    stems = {name.partition("/")[0].partition(".")[0] for name in names}
    if (root / "metadata").is_dir() or is_meds(root):
        return "meds"
    if "person" in stems and any(stem.endswith(("_occurrence", "_exposure", "_period")) for stem in stems):
        return "omop"
    danish = {table.files for source in all_sources()["danish"] for table in source.tables}
    if any(re.fullmatch(pattern, name) for pattern in danish for name in names if "/" in name) or {
        "cpr",
        "lpr_f",
    } & {name.partition("/")[0] for name in names if "/" in name}:
        return "danish"
    raise DataError(
        f"{root} is no delivery that is known here.", FORM_HELP, "Give --format, or the right folder."
    )


def is_meds(root: Path) -> bool:
    """Whether Parquet files below ``data`` have the columns of a MEDS data set."""
    first = next((root / "data").rglob("*.parquet"), None) if (root / "data").is_dir() else None
    if first is None:
        return False
    import pyarrow.parquet as pq

    return {"subject_id", "time", "code"} <= set(pq.read_schema(first).names)


def issuer_of(root: Path, format: str) -> str:
    """What tells the ids of one foreign data set from those of another: the name it gives itself, or its folder's.

    Raises :class:`DataError` where the data set's description is not JSON.
    """
    import json

    described = root / "metadata" / "dataset.json"
    if format == "meds" and described.is_file():
        try:
            return str(json.loads(described.read_text(encoding="utf-8")).get("dataset_name") or root.name)
        except ValueError as error:
            raise DataError(f"{described} is not valid JSON.", str(error), "Correct the file.") from None
    return root.resolve().name
