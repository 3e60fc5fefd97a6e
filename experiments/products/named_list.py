"""Named lists: persons of a study by their pseudonyms, for a desk alone; MLflow, report and release refuse them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.products.base import Audience, NamedProduct, ProductKind
from experiments.products.result_hash import table_hash
from lakehouse.errors import DataError
from lakehouse.private_files import write_private

METADATA_KEY = b"patternlake.named_list"
SCHEMA = pa.schema([("person_id", pa.string()), ("day", pa.int32())])


@dataclass(frozen=True)
class NamedList(NamedProduct):
    """Persons and the day (days since 1970) on which each became one of the list, with the ``reason`` they are on it.

    ``person_id`` are the study's pseudonyms. ``run_id`` is filled in when the run keeps the list.
    """

    table: pa.Table
    reason: str
    label: str = "named_list"
    run_id: str = ""

    def __post_init__(self) -> None:
        """Raises :class:`DataError` for other columns or a person who is listed twice."""
        if self.table.schema.remove_metadata() != SCHEMA:
            raise DataError(f"A named list has the columns {', '.join(SCHEMA.names)}.", "", "")
        if len(set(self.table.column("person_id").to_pylist())) != self.table.num_rows:
            raise DataError("A named list names each person once.", "", "")

    @property
    def name(self) -> str:
        """The file's name in a run's folder, without its ending."""
        return self.label

    @property
    def kind(self) -> str:
        """``named list``."""
        return NAMED_LIST.name

    def of_run(self, run_id: str, code_version: str) -> NamedList:
        """The list with the run that made it."""
        return replace(self, run_id=run_id)

    def write(self, folder: Path) -> list[Path]:
        """Store the list readable by its owner alone; whole or not at all."""
        path = folder / f"{self.name}.parquet"
        about = json.dumps({"reason": self.reason, "label": self.label, "run_id": self.run_id})
        sink = pa.BufferOutputStream()
        pq.write_table(
            self.table.replace_schema_metadata({METADATA_KEY: about}), sink, write_statistics=False
        )
        write_private(path, sink.getvalue().to_pybytes())
        return [path]

    @classmethod
    def read(cls, folder: Path, name: str) -> NamedList:
        """A stored list; :class:`DataError` for a file that is none."""
        table = pq.read_table(folder / f"{name}.parquet")
        stored = (table.schema.metadata or {}).get(METADATA_KEY)
        if stored is None:
            raise DataError(f"{folder / name}.parquet is no named list.", "", "")
        return cls(table.replace_schema_metadata(None), **json.loads(stored))

    def digest(self) -> str:
        """Hash of persons and days, in the order of the pseudonyms."""
        return table_hash(self.table.sort_by("person_id"))


NAMED_LIST = ProductKind(
    "named list",
    Audience.NAMED,
    NamedList.read,
    lambda codes: "single persons, for the desk alone; nothing is tested",
)
