"""Sequences of deliveries that change a little each time, and what two lakes must agree on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tests.support.deliveries import ANNA, BENT, CARL, contact, persons, write_delivery
from tests.support.delta_files import lake_rows

PLACED = ("file_id", "row_number")
"""Where a row was first read: the one thing in which a lake of many deliveries differs from one of the last alone."""


def drawn_rows(numbers: random.Random) -> dict[str, list[str]]:
    """A first delivery of five tables, with bad and repeated rows."""
    contacts, diagnoses, medicines = [], [], []
    for number in range(60):
        person = numbers.choice((ANNA, BENT, CARL))
        day = f"2020-{numbers.randint(1, 12):02d}-{numbers.randint(1, 28):02d}"
        stop = f"{day} {numbers.randint(9, 23):02d}:00" if numbers.random() < 0.9 else ""
        contacts.append(contact(f"4{number:03d}", person, f"{day} 08:00", stop, acute=numbers.random() < 0.3))
        diagnoses.append(
            f"4{numbers.randint(0, 65):03d};D{numbers.choice('EIJ')}{numbers.randint(10, 13)};A;;;;LPR3"
        )
        amount = numbers.choice((1, 1, 2, -1, "x"))
        medicines.append(
            f"{person};{day};472094;C10AA0{numbers.randint(1, 3)};x;100;{amount};50,0;;;1415;;42,00"
        )
    return {
        "cpr/cpr3_t_person.csv": persons(),
        "lpr_f/kontakter.csv": contacts,
        "lpr_f/diagnoser.csv": diagnoses,
        "lmdb/lmdb_2020.csv": medicines,
        "dod/dodsaars.csv": [f"{CARL};2023-05-30;I219"],
    }


def changed(rows: list[str], numbers: random.Random, other: list[str]) -> list[str]:
    """The next delivery of a file: some rows gone, some changed, some new, some twice, perhaps in another order."""
    after = [row for row in rows if numbers.random() > 0.1]
    for _ in range(numbers.randint(0, 3)):
        after.insert(numbers.randint(0, len(after)), numbers.choice(other))
    if after and numbers.random() < 0.5:
        place = numbers.randrange(len(after))
        after[place] = after[place].replace("2020-0", "2021-0").replace(";A;", ";B;")
    if numbers.random() < 0.3:
        numbers.shuffle(after)
    return after


def deliveries(root: Path, numbers: random.Random, count: int) -> Iterator[Path]:
    """Folders of deliveries a month apart; now and then a file comes unchanged, or as it once was."""
    history = [drawn_rows(numbers)]
    for number in range(count):
        if number:
            before = history[-1]
            other = drawn_rows(numbers)
            now = {
                name: changed(rows, numbers, other[name]) if numbers.random() < 0.7 else rows
                for name, rows in before.items()
            }
            if numbers.random() < 0.3:
                now["lmdb/lmdb_2020.csv"] = history[0]["lmdb/lmdb_2020.csv"]
            history.append(now)
        yield write_delivery(root / f"d{number}", history[-1], delivered=f"2025-{number + 1:02d}-15")


def gold_content(lake: Path) -> dict[str, list[str]]:
    """Gold as two lakes must agree on it: every row without where it was read."""
    return {
        name: sorted(without_place(row) for row in rows)
        for name, rows in lake_rows(lake).items()
        if name.startswith("gold/")
    }


def without_place(row: str) -> str:
    """A row of :func:`tests.support.delta_files.table_rows` without file and row number."""
    return repr([pair for pair in eval(row, EVALUATED) if pair[0] not in PLACED])


def evaluated() -> dict[str, object]:
    """What the text of a row may name."""
    import datetime

    return {"datetime": datetime, "nan": float("nan")}


EVALUATED = evaluated()
