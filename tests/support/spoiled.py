"""Files spoiled in every way files are: encodings, delimiters, cuts, types, widths, dates, decimal signs, quotes."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.deliveries import ANNA, BENT, HEADERS

KINDS = {
    "lmdb/lmdb": "lmdb/lmdb_2020.csv",
    "lab/lab_forsker": "lab/lab_forsker_2020.csv",
    "dod/dod": "dod/dodsaars.csv",
    "lpr_f/diagnoser": "lpr_f/diagnoser.csv",
}
"""Stems of yearly files, with the header each has."""
WILD_DATES = (
    *(
        "0001-01-01",
        "9999-12-31",
        "10000-01-01",
        "2020-02-30",
        "1582-10-10",
        "20200230",
        "31.04.2020",
        "00000000",
    ),
    *("2020-1-1", "-001-01-01", "25000101", "2020-06-31T00:00:00", "٢٠٢٠-٠١-٠١", "2020-01-01Z", "29/02/1900"),
)
WILD_NUMBERS = (
    *(
        "1.234,5",
        "1,234.5",
        "1.5",
        "1,5",
        "1e5",
        "١٢",
        "--1",
        "1,",
        ",1",
        "∞",
        "NaN",
        "9" * 400,
        "0x1f",
        "1.2.3",
    ),
    *("+", "1 234", "½", "-0,0", "1,5,6", "1.234.567,8"),
)
Spoil = Callable[[list[str], random.Random], bytes]


def sound_rows(stem: str, numbers: random.Random) -> list[str]:
    """Header and rows of a sound file."""
    rows = [HEADERS[KINDS[stem]]]
    for number in range(numbers.randint(1, 40)):
        person, day = (
            numbers.choice((ANNA, BENT)),
            f"2020-{numbers.randint(1, 12):02d}-{numbers.randint(1, 28):02d}",
        )
        rows.append(
            {
                "lmdb/lmdb": f"{person};{day};472094;C10AA05;Pakke ø;100;1;50,0;;;1415;;42,00",
                "lab/lab_forsker": f"{person};{day};08:15:00;NPU27300;{number};;mmol/mol;31;44;LAB1",
                "dod/dod": f"{person};{day};I219",
                "lpr_f/diagnoser": f"4{number};DI219;A;;;;LPR3",
            }[stem]
        )
    return rows


def cell(rows: list[str], numbers: random.Random, texts: tuple[str, ...]) -> list[str]:
    """Some cells replaced by other texts."""
    spoilt = list(rows)
    for _ in range(numbers.randint(1, 6)):
        line = numbers.randrange(1, len(spoilt))
        fields = spoilt[line].split(";")
        fields[numbers.randrange(len(fields))] = numbers.choice(texts)
        spoilt[line] = ";".join(fields)
    return spoilt


def joined(rows: list[str], encoding: str = "cp1252", end: str = "\n") -> bytes:
    return (end.join(rows) + end).encode(encoding, "replace")


def bytes_flipped(rows: list[str], numbers: random.Random) -> bytes:
    data = bytearray(joined(rows))
    for _ in range(numbers.randint(1, 30)):
        data[numbers.randrange(len(data))] = numbers.randrange(256)
    return bytes(data)


def widths(rows: list[str], numbers: random.Random) -> bytes:
    spoilt = list(rows)
    for _ in range(numbers.randint(1, 5)):
        line = numbers.randrange(len(spoilt))
        spoilt[line] = numbers.choice(
            (spoilt[line] + ";x", spoilt[line].rpartition(";")[0], ";" * 50, "", " ", ";")
        )
    return joined(spoilt)


def quotes(rows: list[str], numbers: random.Random) -> bytes:
    bombs = ('"', '""', '"' * 999, '"x', 'x"', '"a;b"', '"a""b"', '"\r"', "'", '"' + "a" * 200_000)
    return joined(cell(rows, numbers, bombs))


def columns(rows: list[str], numbers: random.Random) -> bytes:
    head = rows[0].split(";")
    match numbers.randrange(4):
        case 0:
            numbers.shuffle(head)
        case 1:
            head[numbers.randrange(len(head))] = head[0]
        case 2:
            head[numbers.randrange(len(head))] = "Ukendt"
        case _:
            head = [name.upper().center(30) for name in head]
    return joined([";".join(head), *rows[1:]])


def line_ends(rows: list[str], numbers: random.Random) -> bytes:
    return b"".join(
        row.encode("cp1252", "replace")
        + numbers.choice((b"\n", b"\r\n", b"\r", b"\n\n", b"\r\r\n", b"\x0b", b"\x85"))
        for row in rows
    )


def cut(data: bytes, numbers: random.Random) -> bytes:
    return data[: numbers.randrange(len(data))]


SPOILS: dict[str, Spoil] = {
    "utf-16": lambda rows, numbers: joined(rows, numbers.choice(("utf-16", "utf-16-le", "utf-32"))),
    "utf-8 undeclared": lambda rows, numbers: joined(rows, "utf-8"),
    "byte order mark twice": lambda rows, numbers: b"\xef\xbb\xbf\xef\xbb\xbf" + joined(rows, "utf-8"),
    "mojibake": lambda rows, numbers: joined(rows).decode("latin-1").encode("utf-8"),
    "delimiter": lambda rows, numbers: joined([row.replace(";", numbers.choice(",\t|")) for row in rows]),
    "cut": lambda rows, numbers: cut(joined(rows), numbers),
    "no newline at the end": lambda rows, numbers: joined(rows)[:-1],
    "bytes flipped": bytes_flipped,
    "zero bytes": lambda rows, numbers: joined(cell(rows, numbers, ("\0", "\0" * 1000))),
    "widths": widths,
    "wild dates": lambda rows, numbers: joined(cell(rows, numbers, WILD_DATES)),
    "mixed decimal signs": lambda rows, numbers: joined(cell(rows, numbers, WILD_NUMBERS)),
    "types": lambda rows, numbers: joined(
        cell(rows, numbers, ("x", "true", "[1]", "{}", "2020", "6701901234", "😀"))
    ),
    "quotes": quotes,
    "columns": columns,
    "line ends": line_ends,
    "rows in the header's place": lambda rows, numbers: joined(rows[1:]),
    "header repeated": lambda rows, numbers: joined([*rows, rows[0], *rows[1:]]),
    "no rows": lambda rows, numbers: joined(rows[:1]),
    "empty": lambda rows, numbers: b"",
    "noise": lambda rows, numbers: numbers.randbytes(numbers.randint(1, 100_000)),
}


def packed(data: bytes, numbers: random.Random) -> bytes:
    """Gzip, often cut or spoilt."""
    whole = gzip.compress(data)
    return numbers.choice((whole, cut(whole, numbers), whole + b"trailing", data))


def as_parquet(rows: list[str], numbers: random.Random) -> bytes:
    """Parquet with columns of odd types, often cut."""
    names = rows[0].split(";")
    kinds = {
        "text": lambda: [numbers.choice(["x", None, ANNA, "2020-01-01"]) for _ in range(9)],
        "list": lambda: [[1], [], None] * 3,
        "bytes": lambda: [b"\xff", b"a", None] * 3,
        "number": lambda: [1.5, float("nan"), None] * 3,
        "truth": lambda: [True, False, None] * 3,
    }
    table = pa.table({name: kinds[numbers.choice(["text"] * 6 + list(kinds))]() for name in names})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return numbers.choice((sink.getvalue(), sink.getvalue(), cut(sink.getvalue(), numbers)))


def spoiled_file(folder: Path, number: int, numbers: random.Random) -> tuple[str, Path]:
    """One spoiled file below a delivery folder, and what was done to it. Its name is taken by a declared table."""
    stem = numbers.choice(list(KINDS))
    rows = sound_rows(stem, numbers)
    kind = numbers.choice([*SPOILS, "parquet"])
    year = 1000 + number
    if kind == "parquet":
        data, ending = as_parquet(rows, numbers), ".parquet"
    else:
        data, ending = SPOILS[kind](rows, numbers), ".csv"
        if numbers.random() < 0.15:
            data, ending, kind = packed(data, numbers), ".csv.gz", f"{kind}, gzip"
    path = folder / f"{stem}_{year}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return kind, path
