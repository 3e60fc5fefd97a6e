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

from lakehouse.errors import DataError
from lakehouse.governance.disclosure import DisclosureRecord, Fact, Thresholds, check_pairs

METADATA_KEY = b"patternlake"
NAME = pa.dictionary(pa.int32(), pa.string())
WORD = pa.dictionary(pa.int8(), pa.string())


@dataclass(frozen=True)
class PatternColumn:
    """One column of the result table: stored type, unit, meaning, and what a reader learns from it."""

    name: str
    type: pa.DataType
    unit: str
    about: str
    fact: Fact = Fact.KEY


def _column(name: str, type_: pa.DataType, unit: str, about: str, fact: Fact = Fact.KEY) -> PatternColumn:
    return PatternColumn(name, type_, unit, about, fact)


_I, _F, _D, _B = pa.int32(), pa.float64(), pa.float32(), pa.bool_()

COLUMNS: tuple[PatternColumn, ...] = (
    _column("kind", WORD, "", "What the row is about: pair (the second code after the first)."),
    _column("code_a", NAME, "", "First code, system//code."),
    _column("code_b", NAME, "", "Second code, system//code."),
    _column("text_a", NAME, "", "Name of the first code."),
    _column("text_b", NAME, "", "Name of the second code."),
    _column("window", WORD, "days", "Days after the first code in which the second one counts, from-to."),
    _column("n_a", _I, "persons", "Persons with the first code.", Fact.MARGIN),
    _column("n_b", _I, "persons", "Persons with the second code.", Fact.MARGIN),
    _column("n_person", _I, "persons", "Persons with both within the window of each other.", Fact.TOTAL),
    _column("n_before", _I, "persons", "Of these, persons with the first code first.", Fact.OUTCOME),
    _column("n_same_day", _I, "persons", "Of these, persons with both first on the same day.", Fact.SAME_DAY),
    _column("n_after", _I, "persons", "Of these, persons with the second code first.", Fact.ORDER),
    _column("O", _I, "persons", "Observed: the second code followed the first in the window.", Fact.OUTCOME),
    _column("E", _F, "persons", "Expected from comparable persons' comparable days.", Fact.OUTCOME),
    _column("V", _F, "persons²", "Variance of O if nothing links the codes.", Fact.OUTCOME),
    _column("rr", _F, "", "Relative risk, the exposed taken out of the reference.", Fact.OUTCOME),
    _column("rr_low", _F, "", "Lower end of its 95 % interval.", Fact.OUTCOME),
    _column("rr_high", _F, "", "Upper end of its 95 % interval.", Fact.OUTCOME),
    _column("z", _F, "", "(O − E) / √V.", Fact.OUTCOME),
    _column("log10_p", _F, "", "Base-10 logarithm of the two-sided mid-p.", Fact.OUTCOME),
    _column("q_bh", _F, "", "q-value, Benjamini-Hochberg, over all pairs tested.", Fact.OUTCOME),
    _column("q_by", _F, "", "q-value, Benjamini-Yekutieli, valid under any dependence.", Fact.OUTCOME),
    _column("q_empirical", _F, "", "q-value against the empirical null of this run.", Fact.OUTCOME),
    _column("calibrated_p", _F, "", "p against the empirical null of this run.", Fact.OUTCOME),
    _column("direction", WORD, "", "Which code tends to come first, beyond calendar trends.", Fact.DIRECTION),
    _column("direction_p", _F, "", "p of that order against the codes' calendar trends.", Fact.DIRECTION),
    _column("direction_p_half", _F, "", "p of that order against one half.", Fact.DIRECTION),
    _column("nsr", _F, "", "Null-effect ratio: a first / b first if only calendar trends acted."),
    _column("asr", _F, "", "Sequence ratio a first / b first, divided by nsr.", Fact.DIRECTION),
    _column("ic", _F, "bits", "Information component, log2((O+½)/(E+½)).", Fact.OUTCOME),
    _column("ic025", _F, "bits", "Lower end of its 95 % interval.", Fact.OUTCOME),
    *(
        _column(
            f"lag_q{share:02d}",
            _D,
            "days",
            f"{share} % of the second codes came within so many days.",
            Fact.LAG,
        )
        for share in (5, 25, 50, 75, 95)
    ),
    _column("replicated_person", _B, "", "Found again in the locked half of the persons.", Fact.OUTCOME),
    _column("replicated_time", _B, "", "Found again in a later period.", Fact.OUTCOME),
    _column("replicated_site", _B, "", "Found again at other hospitals.", Fact.OUTCOME),
    _column("flags", NAME, "", "Warnings: overlap, artefact, protopathic; empty when none."),
    _column("tested", _B, "", "Tested, decided by how often the two codes occur, never by the joint count."),
    _column("called", _B, "", "Called a finding by the job's rule.", Fact.OUTCOME),
    _column("small_cell", WORD, "", "Facts hidden because few persons stand behind them; empty when none."),
    _column("job", WORD, "", "Job that made the row."),
    _column("study", WORD, "", "Study it ran in."),
    _column("permit", WORD, "", "Permit it ran under."),
    _column("data_versions", WORD, "", "Tables read and their versions."),
    _column("seed", pa.int64(), "", "Seed of the study."),
)
"""The columns of every result table, in order."""

FACTS: Mapping[str, Fact] = {column.name: column.fact for column in COLUMNS}
REQUIRED = frozenset(
    {"code_a", "code_b", "n_a", "n_b", "n_person", "n_before", "n_same_day", "n_after", "O", "E"}
)
PERSON_COUNTS = tuple(column.name for column in COLUMNS if column.unit == "persons" and column.name != "E")
"""Columns that count persons."""


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
        cls, scan: pa.Table, codes: Sequence[str], texts: Sequence[str | None], meta: PatternMeta
    ) -> Patterns:
        """The table of a scan with the codes' names.

        ``scan.code_a`` and ``scan.code_b`` (int32) index ``codes`` and ``texts``. Columns the job does not
        make are null; a column nobody declared, or one that is missing, is a :class:`DataError`.
        """
        strange = set(scan.column_names) - set(FACTS)
        if strange or (missing := REQUIRED - set(scan.column_names)):
            raise DataError(
                f"The scan's columns {sorted(strange or missing)} are {'unknown' if strange else 'missing'}.",
                "Every result table has the same columns, so that jobs can be compared.",
                "Declare the column in experiments/patterns.py or correct the job.",
            )
        given: dict[str, pa.Array | pa.ChunkedArray] = {name: scan.column(name) for name in scan.column_names}
        for side in ("a", "b"):
            number = np.asarray(scan.column(f"code_{side}"))
            given[f"code_{side}"] = _named(number, codes)
            given[f"text_{side}"] = _named(number, texts)
        given |= _constants(meta, scan.num_rows, given)
        columns = [_stored(given.get(column.name), column, scan.num_rows) for column in COLUMNS]
        return cls(pa.table(columns, names=[column.name for column in COLUMNS]), meta)

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
            use_dictionary=[c.name for c in COLUMNS if pa.types.is_dictionary(c.type) or c.name == "seed"],
            write_statistics=["code_a", "code_b", "called"],
        )
        temporary.replace(path)
        return path

    def check(self, thresholds: Thresholds) -> tuple[Patterns, DisclosureRecord]:
        """The tested pairs without small cells, and the record of what was hidden."""
        checked, record = check_pairs(self.table, FACTS, thresholds)
        return Patterns(checked, replace(self.meta, checked=True)), record

    def called(self) -> pa.Table:
        """Called patterns, strongest first: by the end of the interval nearest to 1.

        That end is what the data vouch for, so a large but uncertain relative risk does not lead the list.
        """
        table = self.table.filter(pc.fill_null(self.table.column("called"), False))
        low, high = (np.asarray(table.column(name), dtype=float) for name in ("rr_low", "rr_high"))
        with np.errstate(divide="ignore", invalid="ignore"):
            strength = np.nan_to_num(np.fmax(low, 1 / high), nan=0.0)
        return table.take(pa.array(np.argsort(-strength, kind="stable")))


def _named(numbers: NDArray[np.int32], names: Sequence[str | None]) -> pa.DictionaryArray:
    """Words by number; a word that several numbers share is kept once, as pandas wants its categories."""
    words, place = np.unique([name or "" for name in names], return_inverse=True)
    return pa.DictionaryArray.from_arrays(
        pa.array(place.astype(np.int32)[numbers]), pa.array(words, pa.string())
    )


def _constants(meta: PatternMeta, rows: int, given: Mapping[str, Any]) -> dict[str, pa.Array]:
    """Columns that say the same in every row."""
    words = {"job": meta.job, "study": meta.study, "permit": meta.permit, "data_versions": meta.versions_text}
    words["small_cell"] = ""
    if "kind" not in given:
        words["kind"] = "pair"
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
