"""The one result table of every job: what each column means, raw inside the study or checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from experiments.products.columns import COLUMNS, FACTS, ORDERED_PAIR, PatternColumn, counts_persons
from experiments.products.kinds import Kind, kind_of
from lakehouse.errors import DataError
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Thresholds

METADATA_KEY = b"patternlake"

REQUIRED = ORDERED_PAIR
"""What a table of ordered pairs must have."""

PERSON_COUNTS = tuple(column.name for column in COLUMNS if counts_persons(column))
"""Shared columns that count persons."""


@dataclass(frozen=True)
class PatternMeta:
    """Where a result table comes from; stored inside the file."""

    job: str
    study: str
    permit: str
    seed: int
    data_versions: Mapping[str, int] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    code_version: str = ""
    checked: bool = False
    kind: str = "pair"

    @property
    def versions_text(self) -> str:
        """Tables and versions on one line: ``gold.timeline@1 gold.vocabulary@1``."""
        return " ".join(f"{name}@{version}" for name, version in sorted(self.data_versions.items()))


@dataclass(frozen=True)
class Patterns:
    """A result table and its origin. Raw ones stay inside the study; checked ones may be shown."""

    table: pa.Table
    meta: PatternMeta

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @classmethod
    def from_scan(
        cls,
        scan: pa.Table,
        codes: Sequence[str],
        texts: Sequence[str | None],
        meta: PatternMeta,
        kind: str = "pair",
    ) -> Patterns:
        """The table of a job with the codes' names, as one of the kinds in ``experiments.products.kinds``.

        ``scan.code_a``, ``scan.code_b`` (int32) and ``scan.items`` (lists of them) index ``codes`` and ``texts``,
        where the kind has them. Columns the job does not make are null; a column nobody declared, or one that
        is missing, is a :class:`DataError`.
        """
        form = kind_of(kind)
        strange = set(scan.column_names) - set(form.facts)
        if strange or (missing := form.required - set(scan.column_names)):
            raise DataError(
                f"The scan's columns {sorted(strange or missing)} are {'unknown' if strange else 'missing'}.",
                "Every result table has the same columns, so that jobs can be compared.",
                f"Declare the column in experiments/products/columns.py or in the kind '{kind}', or correct the job.",
            )
        given: dict[str, pa.Array | pa.ChunkedArray] = {name: scan.column(name) for name in scan.column_names}
        for side in ("a", "b"):
            if f"code_{side}" in given:
                number = np.asarray(scan.column(f"code_{side}"))
                given[f"code_{side}"] = _named(number, codes)
                given[f"text_{side}"] = _named(number, texts)
        if "items" in given:
            numbers = scan.column("items").combine_chunks()
            given["items"], given["texts"] = _listed(numbers, codes), _listed(numbers, texts)
        meta = replace(meta, kind=kind)
        given |= _constants(meta, scan.num_rows)
        columns = [_stored(given.get(column.name), column, scan.num_rows) for column in form.all_columns]
        return cls(pa.table(columns, names=[column.name for column in form.all_columns]), meta)

    @property
    def kind(self) -> Kind:
        """What the rows are."""
        return kind_of(self.meta.kind)

    @classmethod
    def read(cls, path: Path) -> Patterns:
        """A stored result table."""
        table = pq.read_table(path)
        stored = (table.schema.metadata or {}).get(METADATA_KEY)
        if stored is None:
            raise DataError(f"{path} is not a result table.", "It carries no record of its making.", "")
        return cls(table.replace_schema_metadata(None), PatternMeta(**json.loads(stored)))

    def write(self, path: Path) -> Path:
        """Store the table with its origin inside; whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(self.meta), sort_keys=True, default=str).encode()
        temporary = path.with_name(path.name + ".tmp")
        pq.write_table(
            self.table.replace_schema_metadata({METADATA_KEY: content}),
            temporary,
            compression="snappy",
            use_dictionary=[
                field.name
                for field in self.table.schema
                if pa.types.is_dictionary(field.type) or field.name == "seed"
            ],
            write_statistics=["code_a", "code_b", "called"],
        )
        temporary.replace(path)
        return path

    def check(self, thresholds: Thresholds) -> tuple[Patterns, DisclosureRecord]:
        """The tested rows without small cells, by the rules of their kind, and the record of what was hidden."""
        checked, record = self.kind.check(self.table, self.kind.facts, thresholds)
        return Patterns(checked, replace(self.meta, checked=True)), record

    def called(self) -> pa.Table:
        """Called patterns, strongest first as their kind has it."""
        table = self.table.filter(pc.fill_null(self.table.column("called"), False))
        return table.take(pa.array(self.kind.order(table)))


def _named(numbers: NDArray[np.int32], names: Sequence[str | None]) -> pa.DictionaryArray:
    """Words by number; a word that several numbers share is kept once, as pandas wants its categories."""
    words, place = np.unique([name or "" for name in names], return_inverse=True)
    return pa.DictionaryArray.from_arrays(
        pa.array(place.astype(np.int32)[numbers]), pa.array(words, pa.string())
    )


def _listed(numbers: pa.ListArray, names: Sequence[str | None]) -> pa.ListArray:
    """Lists of words by lists of numbers."""
    words = pa.array([name or "" for name in names], pa.string())
    return pa.ListArray.from_arrays(numbers.offsets, words.take(numbers.values), mask=numbers.is_null())


def _constants(meta: PatternMeta, rows: int) -> dict[str, pa.Array]:
    """Columns that say the same in every row."""
    words = {"job": meta.job, "study": meta.study, "permit": meta.permit, "data_versions": meta.versions_text}
    words |= {"small_cell": "", "kind": meta.kind}
    zeros = pa.array(np.zeros(rows, np.int8))
    made = {name: pa.DictionaryArray.from_arrays(zeros, pa.array([word])) for name, word in words.items()}
    made["seed"] = pa.array(np.full(rows, meta.seed, np.int64))
    return made


def _stored(values: pa.Array | pa.ChunkedArray | None, column: PatternColumn, rows: int) -> pa.Array:
    """A column in its declared type."""
    if values is None:
        return pa.nulls(rows, column.type)
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if values.type == column.type:
        return values
    if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    return values.cast(column.type)


__all__ = ["COLUMNS", "FACTS", "PERSON_COUNTS", "REQUIRED", "PatternMeta", "Patterns"]
