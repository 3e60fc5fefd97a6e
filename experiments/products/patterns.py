"""Tables of tested patterns: the first product; one table for every job, so that jobs can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from experiments.products.base import (
    Audience,
    CheckedProduct,
    Hypotheses,
    Product,
    ProductKind,
    ProductModel,
    Tally,
)
from experiments.products.columns import COLUMNS, FACTS, ORDERED_PAIR, PatternColumn, counts_persons
from experiments.products.pattern_kinds import Kind, View, kind_of
from experiments.products.pattern_summary import card_lines, hidden_sentence, summary, warning
from experiments.products.result_hash import table_hash
from experiments.products.search import Search
from lakehouse.errors import DataError
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Thresholds

NAME = "patterns"
METADATA_KEY, SEARCH_KEY = b"patternlake", b"patternlake.search"

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
class Patterns(Product):
    """A result table, its origin, and how it was looked for. Raw ones stay inside the study; checked ones may be shown."""

    table: pa.Table
    meta: PatternMeta
    search: Search = field(default_factory=Search)

    audience = Audience.AGGREGATE

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
        search: Search | None = None,
    ) -> Patterns:
        """The table of a job with the codes' names, as one of the kinds in ``experiments.products.pattern_kinds``.

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
        return cls(
            pa.table(columns, names=[column.name for column in form.all_columns]), meta, search or Search()
        )

    @property
    def name(self) -> str:
        """The file's name in a run's folder, without its ending."""
        return NAME

    @property
    def kind(self) -> str:
        """``patterns:`` and the kind of its rows."""
        return f"{NAME}:{self.meta.kind}"

    @property
    def form(self) -> Kind:
        """What the rows are."""
        return kind_of(self.meta.kind)

    @classmethod
    def read(cls, path: Path) -> Patterns:
        """A stored result table.

        Raises :class:`DataError` for a Parquet file that carries no record of its making.
        """
        table = pq.read_table(path)
        stored = (table.schema.metadata or {}).get(METADATA_KEY)
        if stored is None:
            raise DataError(f"{path} is not a result table.", "It carries no record of its making.", "")
        search = (table.schema.metadata or {}).get(SEARCH_KEY)
        return cls(
            table.replace_schema_metadata(None),
            PatternMeta(**json.loads(stored)),
            Search.of(json.loads(search)) if search else Search(),
        )

    def write(self, folder: Path) -> list[Path]:
        """Store the raw table in a folder of the study."""
        return [self.write_file(folder / f"{self.name}.parquet")]

    def write_file(self, path: Path) -> Path:
        """Store the table with its origin inside; whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = {METADATA_KEY: asdict(self.meta), SEARCH_KEY: asdict(self.search)}
        content = {key: json.dumps(value, sort_keys=True, default=str) for key, value in stored.items()}
        temporary = path.with_name(path.name + ".tmp")
        pq.write_table(
            self.table.replace_schema_metadata(content),
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

    def digest(self) -> str:
        """Hash of what was found, without the columns that name the run."""
        return table_hash(self.table)

    def of_run(self, run_id: str, code_version: str) -> Patterns:
        """The same with the run and code that made it in its origin."""
        return replace(self, meta=replace(self.meta, run_id=run_id, code_version=code_version))

    def made_by(self, job: str, study: str) -> bool:
        """Whether its origin names this job and study, and it is not said to be checked already."""
        return (self.meta.job, self.meta.study, self.meta.checked) == (job, study, False)

    def tests(self) -> Hypotheses | None:
        """The p-values of everything tested; None of a kind without p-values."""
        if "log10_p" not in self.table.column_names:
            return None
        if self.table.column("log10_p").null_count == self.table.num_rows:
            return None
        meta = self.meta
        asked = (
            meta.job,
            meta.kind,
            dict(sorted(meta.params.items())),
            dict(sorted(meta.data_versions.items())),
        )
        return Hypotheses(np.asarray(self.table.column("log10_p").fill_null(0.0))[self._tested()], asked)

    def judged(self, bh: NDArray[np.float64], by: NDArray[np.float64]) -> Patterns:
        """The same with the columns ``q_study_bh`` and ``q_study_by`` filled in."""
        table, tested = self.table, self._tested()
        for name, values in (("q_study_bh", bh), ("q_study_by", by)):
            full = np.full(table.num_rows, np.nan)
            full[tested] = values
            column = pa.array(full, mask=~tested)
            table = table.set_column(table.column_names.index(name), name, column)
        return replace(self, table=table)

    def _tested(self) -> NDArray[np.bool_]:
        """Rows that are in the ledger of hypotheses: tested, with a p-value."""
        tested = pc.fill_null(self.table.column("tested"), False)
        return np.asarray(pc.and_(tested, pc.is_valid(self.table.column("log10_p"))))

    def cleaned(self, thresholds: Thresholds) -> tuple[Patterns, DisclosureRecord]:
        """The tested rows without small cells, by the rules of their kind, and the record of what was hidden."""
        checked, record = self.form.check(self.table, self.form.facts, thresholds)
        return replace(self, table=checked, meta=replace(self.meta, checked=True)), record

    def check(self, thresholds: Thresholds) -> CheckedProduct:
        """What may be shown: the cleaned table with its pictures, sentences, sections and model."""
        clean, record = self.cleaned(thresholds)
        form, search, significant, tally = self.form, self.search, clean.significant(), self.tally()
        pictures = form.draw(clean.table, significant, self.z_of_tested(), search.calibration)
        view = View(form, significant, search.calibration, record.threshold, search.window, pictures)
        file = f"{self.name}.parquet"
        return CheckedProduct(
            name=self.name,
            kind=self.kind,
            record=record,
            files={file: clean.write_file}
            | {f"figures/{name}": partial(_write_bytes, content) for name, content in pictures.items()},
            described={
                file: {
                    "kind": "rows",
                    "pattern": form.name,
                    "ordered": form.ordered,
                    "counts": list(form.person_counts),
                }
            },
            person_columns=form.person_counts,
            summary=summary(form, search, tally, significant),
            warning=warning(search.calibration),
            figures=self._figures(tally),
            sections=form.sections(view),
            hidden=hidden_sentence(record, tally, significant.num_rows, form),
            limits=form.limits,
            metrics=self._metrics(tally, record),
            tally=tally,
            calibration=search.calibration,
            origin={"Seed": str(self.meta.seed), "Data": self.meta.versions_text, "Window": search.window},
            card=card_lines(form, search, tally, self.meta.seed, self.meta.code_version),
            model=ProductModel(form.model, significant) if form.model and significant.num_rows else None,
        )

    def tally(self) -> Tally:
        """How many rows were tested, are significant and were found again; counted over all rows, hidden ones too."""
        columns = {name: pc.fill_null(self.table.column(name), False) for name in ("tested", "called")}
        both = pc.and_(columns["called"], pc.fill_null(self.table.column("replicated_person"), False))
        return Tally(*(int(pc.sum(one).as_py() or 0) for one in (columns["tested"], columns["called"], both)))

    def z_of_tested(self) -> NDArray[np.float64]:
        """z [test] of every tested row with at least five expected."""
        tested = pc.fill_null(self.table.column("tested"), False)
        wanted = pc.and_(tested, pc.greater_equal(self.table.column("E"), 5.0))
        return np.asarray(pc.drop_null(self.table.filter(wanted).column("z")))

    def significant(self) -> pa.Table:
        """The significant patterns (column ``called``), strongest first as their kind has it."""
        table = self.table.filter(pc.fill_null(self.table.column("called"), False))
        return table.take(pa.array(self.form.order(table)))

    def _figures(self, tally: Tally) -> tuple[tuple[str, str], ...]:
        shown = [
            (f"{self.form.many} tested", f"{tally.tested:,}"),
            ("significant", f"{tally.significant:,}"),
            ("replicated", f"{tally.replicated:,}"),
        ]
        if self.search.calibration:
            shown.append(("SD of z (ideal 1)", f"{self.search.calibration.sd:.2f}"))
        return tuple(shown)

    def _metrics(self, tally: Tally, record: DisclosureRecord) -> dict[str, float]:
        """Numbers to compare runs of one kind by, and those the job itself gives."""
        word = f"{self.meta.kind}s"
        figures: dict[str, float] = {
            f"{word}.tested": tally.tested,
            f"{word}.significant": tally.significant,
            f"{word}.replicated": tally.replicated,
            f"{word}.shown_whole": record.pairs_whole,
        }
        if found := self.search.calibration:
            figures |= {
                "calibration.sd_of_z": found.sd,
                "calibration.mean_of_z": found.mean,
                "calibration.pairs": found.pairs,
            }
        return figures | dict(self.search.metrics)


def patterns(kind: str = "pair") -> ProductKind:
    """A job's declaration that it gives patterns of a kind: ``@job(..., gives=patterns("trajectory"))``."""

    def read(folder: Path, name: str) -> Patterns:
        return Patterns.read(folder / f"{name}.parquet")

    return ProductKind(f"{NAME}:{kind}", Audience.AGGREGATE, read, lambda codes: kind_of(kind).tests(codes))


def _write_bytes(content: bytes, path: Path) -> None:
    path.write_bytes(content)


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


__all__ = ["COLUMNS", "FACTS", "PERSON_COUNTS", "REQUIRED", "PatternMeta", "Patterns", "Search", "patterns"]
