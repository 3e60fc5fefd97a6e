"""A folder that wants to leave, as outputs the gate can judge: what each file is stands in ``outputs.json`` beside it.

A table that nobody described cannot be judged, so it is refused. Evidence that must not leave (the largest persons
of a sum) lies in the folder ``evidence`` and is no part of the export.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from lakehouse.errors import DataError
from lakehouse.governance.output_gate.files import OutputFile
from lakehouse.governance.output_gate.gate import Output
from lakehouse.governance.output_gate.limits_and_verdict import Finding, Limits, gathered
from lakehouse.governance.output_gate.pairs import PairTable
from lakehouse.governance.output_gate.patterns import AssociationRule, PatternSet
from lakehouse.governance.output_gate.reasons import Rule
from lakehouse.governance.output_gate.tables import (
    CountTable,
    MagnitudeTable,
    ModelSummary,
    Rate,
    SurvivalCurve,
)

MANIFEST, EVIDENCE = "outputs.json", "evidence"
KINDS = ("counts", "magnitudes", "survival", "model", "patterns", "rows")
UNORDERED = frozenset({"itemset", "rule", "subgroup", "phenotype", "cluster"})
"""Kinds of pattern whose items stand in no order, for folders whose description does not say it."""

TABLES = frozenset({".parquet", ".csv"})


@dataclass(frozen=True)
class UndescribedTable:
    """A table without a description: nobody can say what its numbers stand for."""

    name: str

    def judge(self, limits: Limits) -> list[Finding]:
        """Always against it."""
        return gathered(Rule.NO_EVIDENCE, self.name, [f"not described in {MANIFEST}"], limits.persons)


@dataclass(frozen=True)
class CompositeOutput:
    """One file that is several outputs at once; what stands against any of them stands against it."""

    name: str
    parts: tuple[Output, ...]

    def judge(self, limits: Limits) -> list[Finding]:
        """Everything against any part."""
        return [finding for part in self.parts for finding in part.judge(limits)]


@dataclass(frozen=True)
class Folder:
    """What lies in a folder: files that leave, the outputs they are, counts by definition for the memory."""

    files: tuple[Path, ...]
    outputs: tuple[Output, ...]
    counts: Mapping[str, int]


def open_folder(root: Path, digests: Collection[str] = ()) -> Folder:
    """Read a folder with its ``outputs.json``; raises :class:`DataError` where the description is no use."""
    described = _manifest(root)
    files = tuple(
        sorted(
            path for path in root.rglob("*")
            if path.is_file() and path != root / MANIFEST and root / EVIDENCE not in path.parents
        )
    )  # fmt: skip
    names = {path.relative_to(root).as_posix() for path in files}
    if strange := sorted(set(described) - names):
        raise DataError(
            f"{MANIFEST} describes {', '.join(strange)}, which {root} does not have.",
            "",
            "Correct the names, or add the files.",
        )
    outputs: list[Output] = []
    counts: dict[str, int] = {}
    for path in files:
        name = path.relative_to(root).as_posix()
        outputs.append(OutputFile(path, root, frozenset(digests)))
        if name in described:
            made, said = _described(root, name, described[name])
            outputs.append(made)
            counts |= said
        elif path.suffix.lower() in TABLES:
            outputs.append(UndescribedTable(name))
    return Folder(files, tuple(outputs), counts)


def read_table(path: Path) -> pa.Table:
    """A Parquet or CSV file."""
    return pq.read_table(path) if path.suffix.lower() == ".parquet" else pa_csv.read_csv(path)


def _manifest(root: Path) -> dict[str, dict[str, Any]]:
    path = root / MANIFEST
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is not JSON: {error}.", "", "Correct it.") from error
    return {str(name): dict(about) for name, about in content.items()}


def _described(root: Path, name: str, about: Mapping[str, Any]) -> tuple[Output, dict[str, int]]:
    """The output a file is, and what it says by definition."""
    kind = about.get("kind")
    if kind not in KINDS:
        raise DataError(f"{name}: there is no kind of output '{kind}'.", "", f"Known: {', '.join(KINDS)}.")
    try:
        if kind == "model":
            return ModelSummary(name, **{key: value for key, value in about.items() if key != "kind"}), {}
        table = read_table(root / name)
        maker = {"counts": _counts, "magnitudes": _magnitudes, "survival": _survival, "patterns": _patterns,
                 "rows": _rows}[kind]  # fmt: skip
        return maker(root, name, table, about)
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{name}: its description as '{kind}' does not fit the file ({error}).",
            "The gate must know what each column stands for.",
            "See docs/how-to-release.md for what each kind needs.",
        ) from error


def _column(table: pa.Table, name: str) -> list[Any]:
    if name not in table.column_names:
        raise KeyError(f"no column {name}")
    return list(table.column(name).to_pylist())


def _floats(table: pa.Table, name: str) -> list[float]:
    return [float("nan") if value is None else float(value) for value in _column(table, name)]


def _counts(
    root: Path, name: str, table: pa.Table, about: Mapping[str, Any]
) -> tuple[Output, dict[str, int]]:
    dimensions = {each: [_label(value) for value in _column(table, each)] for each in about["dimensions"]}
    numbers = _column(table, about["count"])
    rates = {
        column: Rate(
            _floats(table, column), _floats(table, of["of"]), _floats(table, of["part"]) if "part" in of else None,
            float(of.get("scale", 1)),
        )
        for column, of in about.get("rates", {}).items()
    }  # fmt: skip
    made = CountTable(
        name, dimensions, numbers, int(about.get("rounding", 1)), rates, tuple(about.get("sensitive", ()))
    )
    said = {f"{name}|{made.label(i)}": int(n) for i, n in enumerate(numbers) if n is not None}
    return made, said


def _label(value: Any) -> str | None:
    return None if value is None else str(value)


def _magnitudes(
    root: Path, name: str, table: pa.Table, about: Mapping[str, Any]
) -> tuple[Output, dict[str, int]]:
    behind = root / EVIDENCE / name
    evidence = read_table(behind) if behind.is_file() else None
    second: dict[str, Any] = {}
    if "total" in about:
        second["totals"] = _column(table, about["total"])
        if evidence is not None:
            second["largest"], second["second"] = _column(evidence, "largest"), _column(evidence, "second")
    shared = {
        column: _column(evidence, f"{column}_shared_by") if evidence is not None else [1] * table.num_rows
        for column in about.get("extremes", ())
    }
    groups = [str(value) for value in _column(table, about["group"])]
    numbers = _column(table, about["persons"])
    made = MagnitudeTable(
        name, groups, numbers, quantiles=dict(about.get("quantiles", {})), extremes=shared, **second
    )
    return made, {f"{name}|{g}": int(n) for g, n in zip(groups, numbers, strict=True) if n is not None}


def _survival(
    root: Path, name: str, table: pa.Table, about: Mapping[str, Any]
) -> tuple[Output, dict[str, int]]:
    given = {part: _column(table, about[part]) for part in ("events", "survival") if part in about}
    return SurvivalCurve(name, _column(table, about["time"]), _column(table, about["at_risk"]), **given), {}


def _patterns(
    root: Path, name: str, table: pa.Table, about: Mapping[str, Any]
) -> tuple[Output, dict[str, int]]:
    """Item sets, sequences or rules; a row without a support was hidden."""
    support = _column(table, about["support"])
    ordered = bool(about.get("ordered", False))
    more = {key: about[key] for key in ("persons", "complete_from") if key in about}
    if "antecedent" in about:
        rules = [
            AssociationRule(tuple(a), tuple(c), int(n), float(confidence))
            for a, c, n, confidence in zip(
                _column(table, about["antecedent"]), _column(table, about["consequent"]), support,
                _floats(table, about["confidence"]), strict=True,
            )
            if n is not None
        ]  # fmt: skip
        return PatternSet(name, [], [], rules=rules, **more), {}
    items = _column(table, about["items"])
    kept = [(tuple(own), int(n)) for own, n in zip(items, support, strict=True) if n is not None and own]
    said = {f"{'>' if ordered else '+'}|{'|'.join(map(str, own))}": n for own, n in kept}
    return PatternSet(name, [own for own, _ in kept], [n for _, n in kept], ordered=ordered, **more), said


def _rows(root: Path, name: str, table: pa.Table, about: Mapping[str, Any]) -> tuple[Output, dict[str, int]]:
    """A result table of a job: ordered pairs, or rows with ``items``: sequences, or sets where ``ordered`` is false."""
    counts, pattern = tuple(about["counts"]), str(about.get("pattern", "row"))
    said = dict(_said(table, counts, pattern))
    made: Output = PairTable(name, table, counts)
    if "items" in table.column_names and table.column("items").null_count < table.num_rows:
        made = CompositeOutput(
            name,
            (made, *_by_window(name, table, ordered=bool(about.get("ordered", pattern not in UNORDERED)))),
        )
    return made, said


def _by_window(name: str, table: pa.Table, *, ordered: bool) -> Iterator[PatternSet]:
    """The item sets or sequences of a result table; supports of one window can be set against one another."""
    windows = _column(table, "window") if "window" in table.column_names else [None] * table.num_rows
    rows = list(zip(windows, _column(table, "items"), _column(table, "n_person"), strict=True))
    for window in dict.fromkeys(windows):
        kept = [(tuple(own), int(n)) for each, own, n in rows if each == window and own and n is not None]
        yield PatternSet(f"{name}, {window}", [own for own, _ in kept], [n for _, n in kept], ordered=ordered)


def _said(table: pa.Table, counts: Collection[str], pattern: str) -> Iterator[tuple[str, int]]:
    keys = [name for name in ("items", "code_a", "code_b", "window", "group") if name in table.column_names]
    words = [table.column(name).to_pylist() for name in keys]
    for column in counts:
        if column in table.column_names:
            for row, value in enumerate(table.column(column).to_pylist()):
                if value is not None:
                    yield "|".join([pattern, column, *(str(word[row]) for word in words)]), int(value)
