"""Indicator tables: how many persons and events a code has, by year, sex, age group and place, without small cells.

Persons of one code are cut in one way at a time (``by``). Sex and place put every person of a code into exactly one
group, so a hidden number could be worked out from the code's total; years and age groups do that for events. Hence no
group is hidden alone: further ones are hidden with it until what is missing from the total could be many.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    PageTable,
    Product,
    ProductKind,
    Section,
    TableColumn,
)
from experiments.products.result_hash import table_hash
from lakehouse.errors import DataError
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Suppression, Thresholds

NAME = "indicators"
METADATA_KEY = b"patternlake.indicators"
EVERYBODY = "everybody"
CUTS = (EVERYBODY, "year", "sex", "age", "place")
"""In which ways the persons of a code are cut; ``everybody`` is one row a code."""
PARTITIONS = ("sex", "place")
"""Cuts that put every person of a code into exactly one group."""
SCHEMA = pa.schema(
    [("code", pa.string()), ("text", pa.string()), ("by", pa.string()), ("value", pa.string()),
     ("persons", pa.int64()), ("events", pa.int64())]
)  # fmt: skip
SHOWN_CODES = 2_000

WHY = {
    "code": "fewer than {k} persons have the code, or all but fewer than {k}",
    "group": "the group holds fewer than {k} persons of the code",
    "remainder": "it was hidden with a small group, which could be worked out otherwise",
}


@dataclass(frozen=True)
class Indicators(Product):
    """Persons and events by code and group: one row for each that occurs (``SCHEMA``), of ``persons`` looked at.

    A group with nobody has no row. ``persons`` counts distinct persons, ``events`` distinct days of the code in a person.
    """

    table: pa.Table
    persons: int
    window: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)

    audience = Audience.AGGREGATE

    def __post_init__(self) -> None:
        """Raises :class:`DataError` for other columns, or a cut that is not among ``CUTS``."""
        if self.table.schema.remove_metadata() != SCHEMA:
            raise DataError(
                f"An indicator table has the columns {', '.join(SCHEMA.names)}.",
                f"Given: {self.table.schema.names}.",
                "",
            )
        if strange := set(pc.unique(self.table.column("by")).to_pylist()) - set(CUTS):
            raise DataError(
                f"There is no cut {', '.join(sorted(strange))}.", f"Known: {', '.join(CUTS)}.", ""
            )

    @property
    def name(self) -> str:
        """The file's name in a run's folder, without its ending."""
        return NAME

    @property
    def kind(self) -> str:
        """``indicators``."""
        return INDICATORS.name

    def write(self, folder: Path) -> list[Path]:
        """Store the table as it is; whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{NAME}.parquet"
        about = json.dumps({"persons": self.persons, "window": self.window, "origin": dict(self.origin)})
        temporary = path.with_name(path.name + ".tmp")
        pq.write_table(self.table.replace_schema_metadata({METADATA_KEY: about}), temporary)
        temporary.replace(path)
        return [path]

    @classmethod
    def read(cls, folder: Path, name: str) -> Indicators:
        """A stored table; :class:`DataError` for a file that is none."""
        table = pq.read_table(folder / f"{name}.parquet")
        stored = (table.schema.metadata or {}).get(METADATA_KEY)
        if stored is None:
            raise DataError(f"{folder / name}.parquet is no indicator table.", "", "")
        return cls(table.replace_schema_metadata(None), **json.loads(stored))

    def digest(self) -> str:
        """Hash of the rows."""
        return table_hash(self.table)

    def check(self, thresholds: Thresholds) -> CheckedProduct:
        """Codes that enough persons have, groups with their numbers where these single out nobody; a file for each cut."""
        clean, record = without_small_cells(self.table, self.persons, thresholds)
        codes = clean.filter(pc.equal(clean.column("by"), EVERYBODY)).sort_by([("persons", "descending")])
        files, described = {}, {}
        for cut in CUTS[1:]:
            part = _of_cut(clean, cut)
            if part.num_rows:
                file = f"{NAME}_by_{cut}.parquet"
                files[file] = partial(_write, part)
                described[file] = {"kind": "counts", "dimensions": ["code", cut], "count": "persons"}
        kept = codes.num_rows
        return CheckedProduct(
            name=self.name,
            kind=self.kind,
            record=record,
            files=files,
            described=described,
            person_columns=("persons", "events"),
            summary=_summary(codes),
            figures=(("codes", f"{kept:,}"), ("numbers hidden", f"{record.cells_hidden:,}")),
            sections=(_codes_section(codes, clean),),
            hidden=_hidden_sentence(record),
            limits=(
                "Counts say what was recorded in the study's data, not how frequent an illness is: who is looked at more "
                "is recorded more.",
                "Codes of a year grow with coverage: a source that begins late makes its codes seem new.",
            ),
            metrics={"codes": kept},
            origin={**self.origin, "Window": self.window},
        )


INDICATORS = ProductKind(
    NAME,
    Audience.AGGREGATE,
    Indicators.read,
    lambda codes: f"counts of {codes:,} codes at most; nothing is tested",
)


def without_small_cells(
    table: pa.Table, persons: int, thresholds: Thresholds
) -> tuple[pa.Table, DisclosureRecord]:
    """The table without small groups and without what would give them away, and the record of what was hidden.

    A code that 1 to k−1 of the ``persons`` have, or all but so few, does not leave, nor its name. A group of 1 to k−1
    persons loses both numbers, and with it the smallest others of its code and cut until at least two groups are hidden
    that hold 2k persons together.
    """
    k = thresholds.persons
    rows = table.to_pydict()
    whole = {
        code: count
        for code, by, count in zip(rows["code"], rows["by"], rows["persons"], strict=True)
        if by == EVERYBODY
    }
    kept_codes = {code for code, count in whole.items() if count >= k and not 0 < persons - count < k}
    leaves = np.array([code in kept_codes for code in rows["code"]], bool)
    counts = np.asarray(table.column("persons"))
    hide = leaves & (counts < k)
    primary = hide.copy()
    groups: dict[tuple[str, str], list[int]] = {}
    for row in np.flatnonzero(leaves):
        if rows["by"][row] != EVERYBODY:
            groups.setdefault((rows["code"][row], rows["by"][row]), []).append(int(row))
    for members in groups.values():
        _hide_more(np.array(members), counts, hide, k)
    keep = np.flatnonzero(leaves)
    taken = table.take(pa.array(keep))
    masked = {
        name: pc.if_else(pa.array(hide[keep]), pa.scalar(None, pa.int64()), taken.column(name))
        for name in ("persons", "events")
    }
    for name, values in masked.items():
        taken = taken.set_column(taken.schema.get_field_index(name), name, values)
    reasons = {"code": ~leaves, "group": primary, "remainder": hide & ~primary}
    record = DisclosureRecord(
        output=NAME,
        threshold=k,
        pairs=table.num_rows,
        pairs_whole=int((leaves & ~hide).sum()),
        cells_hidden=2 * int(hide.sum()),
        hidden=tuple(
            Suppression(rule, WHY[rule].format(k=k), int(mask.sum()))
            for rule, mask in reasons.items()
            if mask.any()
        ),
        verdict="released without small cells" if (hide | ~leaves).any() else "clean",
    )
    return taken, record


def _hide_more(
    members: NDArray[np.int64], counts: NDArray[np.int64], hide: NDArray[np.bool_], k: int
) -> None:
    """Hide further groups of one code and cut, smallest first, until those hidden could be many; changes ``hide``."""
    if not hide[members].any():
        return
    for row in members[np.argsort(counts[members], kind="stable")]:
        hidden = members[hide[members]]
        if len(hidden) >= 2 and counts[hidden].sum() >= 2 * k:
            return
        hide[row] = True


def _of_cut(clean: pa.Table, cut: str) -> pa.Table:
    """The rows of one cut under the cut's own column; with a row ``all`` a code where the groups add up to it."""
    part = clean.filter(pc.equal(clean.column("by"), cut))
    if not part.num_rows:
        return part
    if cut in PARTITIONS:
        whole = clean.filter(pc.equal(clean.column("by"), EVERYBODY))
        whole = whole.set_column(3, "value", pa.array(["all"] * whole.num_rows, pa.string()))
        part = pa.concat_tables([whole, part])
    return (
        part.drop_columns(["by"]).rename_columns(["code", "text", cut, "persons", "events"]).sort_by("code")
    )


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)


def _summary(codes: pa.Table) -> tuple[str, ...]:
    if not codes.num_rows:
        return ("no code is recorded in enough persons to be shown.",)
    first = codes.slice(0, 1).to_pylist()[0]
    return (
        f"{codes.num_rows:,} codes are recorded in enough persons to be shown.",
        f"The most frequent is {_named(first)}: {_count(first['persons'])} persons, {_count(first['events'])} events.",
    )


def _codes_section(codes: pa.Table, clean: pa.Table) -> Section:
    """One row a code, most frequent first, with its years and its share of women."""
    years: dict[str, list[str]] = {}
    women: dict[str, int | None] = {}
    for row in clean.to_pylist():
        if row["by"] == "year":
            years.setdefault(row["code"], []).append(row["value"])
        elif row["by"] == "sex" and row["value"] == "F":
            women[row["code"]] = row["persons"]
    rows = []
    for row in codes.slice(0, SHOWN_CODES).to_pylist():
        seen = sorted(years.get(row["code"], []))
        share = women.get(row["code"])
        rows.append(
            (
                row["code"],
                row["text"] or "",
                _count(row["persons"]),
                _count(row["events"]),
                f"{seen[0]}–{seen[-1]}" if seen else "",
                "–" if share is None or not row["persons"] else f"{100 * share / row['persons']:.0f} %",
            )
        )
    table = PageTable(
        columns=(
            TableColumn("Code", "system//code at the level asked for"),
            TableColumn("Name"),
            TableColumn("Persons", "Persons with the code", True),
            TableColumn("Events", "Distinct days of the code, over all persons", True),
            TableColumn("Years", "First and last year with the code"),
            TableColumn("Women", "Share of its persons; – where hidden", True),
        ),
        rows=tuple(rows),
        about=(
            "Each row is a code as it is recorded in the study, the most frequent first. Its persons and events by year, "
            "sex, age group and place are in the files indicators_by_<cut>.parquet."
        ),
        total=codes.num_rows,
        empty="No code can be shown.",
    )
    return Section(NAME, "What is in this study", (table,))


def _hidden_sentence(record: DisclosureRecord) -> str:
    if not record.hidden:
        return f"Nothing: no number stands for fewer than {record.threshold} persons."
    return (
        f"Of {record.pairs:,} groups, {record.pairs_whole:,} are shown with their numbers; the others stand for fewer than "
        f"{record.threshold} persons or would let a reader work out one that does."
    )


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['text']} ({row['code']})" if row["text"] else str(row["code"])


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
