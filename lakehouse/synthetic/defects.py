"""Spoils a share of rows in the ways real deliveries are spoiled, and counts them exactly."""

from __future__ import annotations

import numpy as np

from lakehouse.synthetic.layout import FileKind

PERSON_COLUMNS = {"v_pnr", "cpr", "pnr", "patient_cpr"}
CODE_COLUMNS = {"diagnosekode", "procedurekode", "atc", "analysiscode"}
DATE_COLUMNS = {
    "dato_start",
    "eksd",
    "samplingdate",
    "d_dodsdato",
    "d_foddato",
    "d_udrejse_dato",
    "dk_adresse_start",
}
TEXT_COLUMNS = {"hovedspeciale_ans", "name"}

CONSEQUENCES = {
    "bad_date": "quarantine",
    "unknown_code": "quarantine",
    "invalid_cpr": "quarantine",
    "placeholder_cpr": "quarantine",
    "orphan_contact": "in no timeline: no contact names its person",
    "orphaned": "in no timeline: not spoiled itself, but its contact was lost",
    "column_count": "quarantine",
    "bounded_value": "kept: operator and number",
    "mojibake": "kept: repaired",
    "negative_packages": "kept: reversal without an original",
    "refuted": "kept: status refuted",
    "duplicate": "kept once",
}
"""What an ingest should do with each kind of spoiled row."""


FATAL = {"bad_date", "unknown_code", "invalid_cpr", "placeholder_cpr", "column_count"}
"""Defects that lose the row."""


def kinds_for(kind: FileKind) -> dict[str, int]:
    """Defects that fit a file's columns, with the column each one spoils (-1: the whole row).

    Persons are only doubled: losing one would change everything that happened to them.
    """
    if kind.stem == "cpr3_t_person":
        return {"duplicate": -1}
    found: dict[str, int] = {}
    for position, column in enumerate(kind.columns):
        if column in DATE_COLUMNS:
            found.setdefault("bad_date", position)
        if column in CODE_COLUMNS:
            found["unknown_code"] = position
        if column in PERSON_COLUMNS:
            found["invalid_cpr"] = found["placeholder_cpr"] = position
        if column in TEXT_COLUMNS:
            found["mojibake"] = position
        if column == "value":
            found["bounded_value"] = position
        if column == "apk":
            found["negative_packages"] = position
        if column == "senere_afkraeftet":
            found["refuted"] = position
            found["orphan_contact"] = 0
    return {**found, "column_count": -1, "duplicate": -1}


def spoil(
    data: bytes, kind: FileKind, rate: float, rng: np.random.Generator, lost: set[bytes]
) -> tuple[bytes, int, dict[str, int]]:
    """Spoil about ``rate`` of the rows, one way each; gives the bytes, the rows now there, and counts by kind.

    ``lost`` collects the keys of contacts that no reader can keep, so that their diagnoses can be counted.
    """
    lines = data.split(b"\n")[:-1]
    ways = kinds_for(kind)
    chosen = np.flatnonzero(rng.random(len(lines)) < rate)
    picks = rng.integers(0, len(ways), len(chosen))
    names = list(ways)
    counts = dict.fromkeys(names, 0)
    spoiled: set[int] = set()
    there = set(lines)
    for row, pick in zip(chosen.tolist(), picks.tolist(), strict=True):
        name, line = names[pick], lines[row]
        changed = change(line, name, ways[name], kind.encoding)
        if changed in there:
            continue
        there.add(changed)
        lines[row] = changed
        counts[name] += 1
        spoiled.add(row)
        if kind.stem == "kontakter" and name in FATAL:
            lost.add(line.partition(b";")[0])
    if kind.stem == "diagnoser":
        keys = (line.partition(b";")[0] for row, line in enumerate(lines) if row not in spoiled)
        counts["orphaned"] = sum(key in lost for key in keys)
    total = len(lines) + counts["duplicate"]
    return b"".join(line + b"\n" for line in lines), total, {k: v for k, v in counts.items() if v}


def change(line: bytes, name: str, column: int, encoding: str) -> bytes:
    """One spoiled line; the same line when this defect cannot be put on it."""
    if name == "duplicate":
        return line + b"\n" + line
    fields = line.split(b";")
    if name == "column_count":
        return line + b";" if len(fields) % 2 else b";".join(fields[:-1])
    old = fields[column].decode(encoding)
    new = replacement(name, old)
    fields[column] = new.encode(encoding, errors="replace")
    return b";".join(fields)


def replacement(name: str, old: str) -> str:
    """The spoiled text of one field."""
    if name == "mojibake":
        return old if old.isascii() else old.encode("utf-8").decode("cp1252", errors="replace")
    if name == "negative_packages":
        return old if old.startswith("-") else f"-{old}"
    if name == "refuted":
        return "Ja"
    fixed = {
        "bad_date": "2019-02-30",
        "unknown_code": "0?0",
        "invalid_cpr": "99" + old[2:],
        "placeholder_cpr": "0000000000",
        "orphan_contact": "9" + old[1:],
        "bounded_value": "<5",
    }
    return fixed[name]
