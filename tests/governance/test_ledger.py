"""Every way of tampering with the ledger is found, and the first bad entry is named."""

from __future__ import annotations

import json
import multiprocessing

import pytest

from lakehouse.errors import ScopeBreach
from lakehouse.governance import ledger
from lakehouse.settings import Settings, load_settings


@pytest.fixture
def written(settings: Settings) -> Settings:
    for number in range(6):
        ledger.append(settings, "receipt", {"run": f"run-{number}", "digest": "d" * number})
    return settings


def lines(settings: Settings) -> list[str]:
    return ledger.ledger_path(settings).read_text().splitlines()


def rewrite(settings: Settings, content: list[str]) -> None:
    ledger.ledger_path(settings).write_text("".join(line + "\n" for line in content))


def test_an_untouched_ledger_holds(written: Settings) -> None:
    assert ledger.verify(written).startswith("The ledger holds: 6 entries")


def test_an_empty_ledger_holds(settings: Settings) -> None:
    assert ledger.verify(settings).startswith("The ledger holds: 0 entries")


def edit(content: list[str]) -> list[str]:
    entry = json.loads(content[2])
    entry["body"]["run"] = "another"
    return [*content[:2], json.dumps(entry), *content[3:]]


def edit_with_fresh_hash(content: list[str]) -> list[str]:
    entry = json.loads(content[2])
    entry["body"]["run"] = "another"
    entry["hash"] = ledger.entry_hash(entry)
    return [*content[:2], json.dumps(entry), *content[3:]]


def rewrite_from_there(content: list[str]) -> list[str]:
    changed = list(content)
    previous = json.loads(content[1])["hash"]
    for index in range(2, len(content)):
        entry = json.loads(content[index])
        entry["body"]["run"], entry["previous"] = "another", previous
        entry["hash"] = previous = ledger.entry_hash(entry)
        changed[index] = json.dumps(entry)
    return changed


@pytest.mark.parametrize(
    ("tamper", "first_bad"),
    [
        (edit, 3),
        (edit_with_fresh_hash, 4),
        (rewrite_from_there, 7),
        (lambda content: [*content[:2], *content[3:]], 3),
        (lambda content: content[:-1], 6),
        (lambda content: [*content[:3], content[4], content[3], content[5]], 4),
        (lambda content: [*content[:3], content[2], *content[3:]], 4),
        (lambda content: [*content[:3], "{half a li", *content[4:]], 4),
    ],
    ids=["edit", "edit and hash", "rewrite the rest", "delete", "truncate", "reorder", "insert", "garble"],
)
def test_tampering_is_found_and_the_entry_named(written: Settings, tamper, first_bad: int) -> None:  # type: ignore[no-untyped-def]
    rewrite(written, tamper(lines(written)))
    with pytest.raises(ScopeBreach, match=f"entry {first_bad} "):
        ledger.verify(written)


def append_many(home: str) -> None:
    for number in range(20):
        ledger.append(load_settings(home, "test"), "intent", {"run": str(number)})


def test_two_writers_at_once_leave_one_chain(settings: Settings) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(str(settings.home),)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert ledger.verify(settings).startswith("The ledger holds: 40 entries")


def test_a_writer_killed_before_the_anchor_loses_nothing(written: Settings) -> None:
    anchor = ledger.anchor_path(written).read_text()
    ledger.append(written, "intent", {"run": "killed"})
    ledger.anchor_path(written).write_text(anchor)
    assert ledger.verify(written).startswith("The ledger holds: 7 entries")
    ledger.append(written, "intent", {"run": "next"})
    assert ledger.verify(written).startswith("The ledger holds: 8 entries")
