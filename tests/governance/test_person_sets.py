"""Which persons a run read: exact sets, a commitment that tells nothing, and the answer to one person's question."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from pyroaring import BitMap

from lakehouse.errors import ConfigurationError
from lakehouse.governance.access.person_sets import PersonSets, packed, positions
from lakehouse.governance.ledger import ledger
from lakehouse.governance.persons.access_report import runs_of, untold
from lakehouse.settings import Settings


def token(number: int) -> str:
    return f"01{number:032x}"


def test_numbers_are_given_once_and_kept(settings: Settings) -> None:
    sets = PersonSets(settings)
    first = sets.numbers([token(5), token(3), token(5)])
    assert first.tolist() == [1, 0, 1], "new persons get numbers in the order of their tokens"
    assert sets.numbers(pa.chunked_array([[token(9)], [token(3)]])).tolist() == [2, 0]
    assert PersonSets(settings).numbers([token(5), token(4)], enter=False).tolist() == [1, -1]


def test_half_a_token_left_by_a_killed_writer_is_overwritten(settings: Settings) -> None:
    sets = PersonSets(settings)
    sets.numbers([token(1)])
    with sets.index.open("ab") as file:
        file.write(b"half")
    assert sets.numbers([token(2), token(1)]).tolist() == [1, 0]


def test_an_erased_person_leaves_no_token_and_the_commitments_still_fit(settings: Settings) -> None:
    sets = PersonSets(settings)
    numbers = sets.numbers([token(1), token(2)])
    commitment = sets.store("run", BitMap(numbers.astype("uint32")))
    assert sets.forget([token(1), token(9)]) == 1
    assert bytes.fromhex(token(1)) not in sets.index.read_bytes()
    assert sets.runs_with(token(1), ["run"]) == [] and sets.runs_with(token(2), ["run"]) == ["run"]
    assert sets.commitment("run", sets.load("run")) == commitment
    assert sets.numbers([token(1)]).tolist() == [2], "somebody of that token is somebody new"


@how(max_examples=100, deadline=None)
@given(
    st.lists(st.binary(min_size=17, max_size=17), unique=True), st.lists(st.binary(min_size=17, max_size=17))
)
def test_positions_are_those_of_a_dictionary(known: list[bytes], others: list[bytes]) -> None:
    wanted = [*known[::2], *others]
    expected = [{each: place for place, each in enumerate(known)}.get(each, -1) for each in wanted]
    found = positions(np.array(known, dtype="S17"), np.array(wanted, dtype="S17"))
    assert found.tolist() == expected


@pytest.mark.parametrize("bad", ["01ab", "zz" * 17, "01" * 18])
def test_what_is_no_token_is_refused(bad: str) -> None:
    with pytest.raises(ValueError):
        packed([bad])


def test_a_set_comes_back_and_its_commitment_fits_it_alone(settings: Settings) -> None:
    sets = PersonSets(settings)
    commitment = sets.store("run", BitMap([1, 7, 9]))
    assert sets.load("run") == BitMap([1, 7, 9])
    assert sets.commitment("run", BitMap([9, 7, 1])) == commitment
    assert sets.commitment("run", BitMap([1, 7])) != commitment
    assert sets.commitment("other", BitMap([1, 7, 9])) != commitment, (
        "equal sets cannot be told from commitments"
    )
    other = PersonSets(Settings(settings.home / "x", "test", Path(), "", 5))
    assert other.commitment("run", BitMap([1, 7, 9])) != commitment, "without the key it tells nothing"


def test_a_set_is_unreadable_on_disk_and_any_change_is_found(settings: Settings) -> None:
    sets = PersonSets(settings)
    sets.store("run", BitMap(range(1000)))
    path = sets.folder / "sets" / "run.set"
    assert BitMap(range(1000)).serialize()[:16] not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0 and sets.key_file.stat().st_mode & 0o077 == 0
    path.rename(sets.folder / "sets" / "another.set")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        sets.load("another")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        sets.load("run")


def made_runs(settings: Settings, members: dict[str, list[int]]) -> None:
    sets = PersonSets(settings)
    for run, numbers in members.items():
        sets.store(run, BitMap(sets.numbers([token(n) for n in numbers]).astype("uint32")))
        body = {
            "run": f"r-{run}",
            "study": "s",
            "reading": run,
            "reads": ["gold.event@1"],
            "state": "accounted",
        }
        ledger.append(settings, "receipt", {**body, "verdict": "checked", "actor": "anna"})


def test_a_person_is_told_every_run_that_read_them_and_no_other(settings: Settings) -> None:
    made_runs(settings, {"a": [1, 2, 3], "b": [2, 4], "c": [1]})
    assert [each.run for each in runs_of(settings, token(2))] == ["r-a", "r-b"]
    assert [each.run for each in runs_of(settings, token(1))] == ["r-a", "r-c"]
    assert runs_of(settings, token(99)) == [], "somebody nobody read"
    reading = runs_of(settings, token(4))[0]
    assert "anna" not in reading.told() and "anna" in reading.told(with_actor=True)
    assert reading.told()[1:2] == ("s",)


def test_runs_that_read_past_their_study_are_named_as_untold(settings: Settings) -> None:
    ledger.append(settings, "receipt", {"run": "sly", "study": "s", "reads": [], "state": "breach"})
    assert untold(settings) == ["sly"]


def test_a_lost_set_is_an_error_and_no_wrong_answer(settings: Settings) -> None:
    made_runs(settings, {"a": [1], "b": [1]})
    (PersonSets(settings).folder / "sets" / "a.set").unlink()
    with pytest.raises(ConfigurationError, match="set of persons of run a"):
        runs_of(settings, token(1))


@pytest.mark.slow
def test_a_thousand_runs_over_a_million_persons_are_searched_within_five_seconds(settings: Settings) -> None:
    sets, generator = PersonSets(settings), np.random.default_rng(secrets.randbits(64))
    persons = 1_000_000
    tokens = [f"01{a:016x}{b:016x}" for a, b in generator.integers(0, 2**62, (persons, 2)).tolist()]
    numbers = sets.numbers(tokens).astype("uint32")
    asked = tokens[12_345]
    asked_number, within = int(numbers[12_345]), 0
    for run in range(1000):
        kept = BitMap(numbers[generator.random(persons) < 0.5])
        within += asked_number in kept
        sets.store(f"{run}", kept)
    begin = time.perf_counter()
    found = sets.runs_with(asked, [f"{run}" for run in range(1000)])
    seconds = time.perf_counter() - begin
    print(f"1,000 runs x 1,000,000 persons: {seconds:.2f} s, {len(found)} runs")
    assert len(found) == within
    assert seconds <= 5
