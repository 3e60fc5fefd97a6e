"""Many tokens at once against their slow twins: HMAC of the standard library, the full parse, a set of numbers."""

from __future__ import annotations

import hashlib
import hmac
import random
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.arrow_text import letters_of
from lakehouse.identity import pseudonyms as pseudonym
from lakehouse.identity.enrolment import NumberSet, among
from lakehouse.identity.hmac_batch import LANES, LONGEST, fill_digests, half_digests
from lakehouse.identity.identity_keys import PLAIN, canonical, key_identities, person_identities, plain_days
from lakehouse.identity.person_numbers import BadNumber, is_date, parse
from lakehouse.identity.pseudonyms import (
    advancer,
    carried,
    root_key_file,
    successor,
    token_batch,
    token_prefixes,
    tokeniser,
)
from lakehouse.ingest.pseudonymise import by_issuer
from lakehouse.settings import load_settings

GENERATIONS = 3


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = root_key_file(load_settings(tmp_path_factory.mktemp("keys"), "test"), create=True)
    for number in range(2, GENERATIONS + 1):
        successor(path, number).write_bytes(secrets.token_bytes(32))
    return str(path)


@contextmanager
def made_in(lanes: bool) -> Iterator[None]:
    """Every token in lanes, or none."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pseudonym, "ONE_BY_ONE", -1 if lanes else 1 << 60)
        yield


MESSAGES = st.lists(st.one_of(st.none(), st.binary(max_size=200), st.binary(min_size=29, max_size=29)))


@settings(deadline=None)
@given(key=st.binary(min_size=1, max_size=64), messages=st.lists(st.binary(max_size=200)))
def test_half_digests_are_hmac_where_a_message_fits_a_block(key: bytes, messages: list[bytes]) -> None:
    text = np.frombuffer(b"".join(messages), np.uint8)
    offsets = np.cumsum([0, *map(len, messages)]).astype(np.int32)
    digests, long = half_digests(key, text, offsets)
    assert long.tolist() == [len(each) > LONGEST for each in messages]
    for place in np.flatnonzero(~long):
        assert digests[place].tobytes() == hmac.digest(key, messages[place], hashlib.sha256)[:16]


@pytest.mark.parametrize("count", [0, 1, LANES - 1, LANES, LANES + 1, 5 * LANES + 7])
def test_lanes_that_are_not_full_are_hmac_too(count: int) -> None:
    key = secrets.token_bytes(32)
    messages = [secrets.token_bytes(secrets.randbelow(LONGEST + 1)) for _ in range(count)]
    offsets = np.cumsum([0, *map(len, messages)]).astype(np.int32)
    digests, long = half_digests(key, np.frombuffer(b"".join(messages), np.uint8), offsets)
    assert not long.any()
    assert [row.tobytes() for row in digests] == [
        hmac.digest(key, each, hashlib.sha256)[:16] for each in messages
    ]


@pytest.mark.parametrize("lanes", [True, False])
@settings(deadline=None)
@given(messages=MESSAGES, domain=st.text(min_size=1, max_size=12), number=st.integers(0, GENERATIONS))
def test_a_batch_is_what_the_tokeniser_makes_of_each(
    key_file: str, lanes: bool, messages: list[bytes | None], domain: str, number: int
) -> None:
    make = tokeniser(key_file, domain, number)
    with made_in(lanes):
        made = token_batch(key_file, domain, pa.array(messages, pa.binary()), number)
    assert made.to_pylist() == [None if each is None else make(each) for each in messages]
    assert made.type == pa.string()
    made.validate(full=True)


@pytest.mark.parametrize("lanes", [True, False])
@settings(deadline=None)
@given(versions=st.lists(st.one_of(st.integers(1, GENERATIONS), st.just(255))))
def test_tokens_of_any_generation_are_carried_as_each_is(
    key_file: str, lanes: bool, versions: list[int]
) -> None:
    tokens = [f"{version:02x}{secrets.token_hex(16)}" for version in versions]
    with made_in(lanes):
        moved = carried(key_file, GENERATIONS, pa.array(tokens, pa.string()))
    assert moved.to_pylist() == [*map(advancer(key_file, GENERATIONS), tokens)]


@settings(deadline=None)
@given(messages=MESSAGES, data=st.data())
def test_a_piece_of_an_array_gives_the_tokens_of_that_piece(
    key_file: str, messages: list[bytes | None], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(messages)))
    length = data.draw(st.integers(0, len(messages) - start))
    with made_in(lanes=True):
        whole = token_batch(key_file, "person", pa.array(messages, pa.binary()))
        piece = token_batch(key_file, "person", pa.array(messages, pa.binary()).slice(start, length))
    assert piece.to_pylist() == whole.slice(start, length).to_pylist()


def test_prefixes_are_the_64_bits_behind_the_version() -> None:
    tokens = [f"{secrets.randbelow(256):02x}{secrets.token_hex(16)}" for _ in range(300)]
    prefixes = token_prefixes(pa.array(tokens).slice(7))
    assert prefixes.tolist() == [int(token[2:18], 16) for token in tokens[7:]]
    assert token_prefixes(pa.array([], pa.string())).tolist() == []


def test_there_is_one_thing_to_compile_whoever_owns_the_arrays(key_file: str) -> None:
    with made_in(lanes=True):
        tokens = token_batch(key_file, "person", pa.array([b"1", None, b"2" * 60], pa.binary()))
        token_batch(key_file, "study", tokens)
        token_batch(key_file, "study", tokens.slice(2))
        token_batch(key_file, "person", pa.array([], pa.binary()))
    assert len(fill_digests.signatures) == 1  # type: ignore[attr-defined]


def test_a_refusal_of_letters_shows_none_of_them() -> None:
    with pytest.raises(ValueError, match="not all texts are 34 bytes long") as refused:
        letters_of(pa.array(["6101901234"]), 34)
    assert "6101901234" not in str(refused.value)


def test_a_small_delivery_never_loads_the_compiler(tmp_path: Path) -> None:
    code = (
        "import sys; from lakehouse.identity.pseudonyms import key_tokens, person_tokens\n"
        "key_tokens(sys.argv[1], 'contact', 'cpr-contact', '', map(str, range(20_000)))\n"
        "person_tokens(sys.argv[1], ['6101901234'] * 5_000, [''] * 5_000)\n"
        "print('numba' in sys.modules)\n"
    )
    key = root_key_file(load_settings(tmp_path, "test"), create=True)
    command = [sys.executable, "-c", code, str(key)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "False"


def slowly(value: str, issuer: str) -> tuple[bytes | None, str]:
    """The identity by the full parse alone."""
    try:
        number = parse(value)
    except BadNumber as bad:
        return None, bad.reason
    if "test_person" in number.flags:
        return None, "test_person"
    return canonical(number.kind, issuer if number.kind == "d-ecpr" else "", number.value), ""


NUMBERS = st.one_of(
    st.from_regex(r"\A[0-9]{10}\Z"),
    st.from_regex(r"\A[0-9]{6}[015-7][A-Z]{2}[0-9]\Z"),
    st.from_regex(r"\A(?:0[1-9]|[1279][0-9]|31)(?:0[1-9]|1[0-2])[0-9]{2}(?:[0-9]{4}|9995|9996)\Z"),
    st.from_regex(r"\A(?:29|89)02(?:00|04|01)[0-9]{4}\Z"),
    st.from_regex(r"\A[ ]?[0-9]{6}-[0-9]{4}\Z"),
    st.text(max_size=12),
)


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, st.sampled_from(["1084", "1082", "å"]))))
def test_the_quick_way_to_identities_is_the_parse(given_numbers: list[tuple[str, str]]) -> None:
    values, issuers = [value for value, _ in given_numbers], [issuer for _, issuer in given_numbers]
    identities, reasons = person_identities(pa.array(values, pa.string()), issuers)
    wanted = [slowly(*each) for each in given_numbers]
    assert identities.to_pylist() == [identity for identity, _ in wanted]
    assert reasons == {place: reason for place, (_, reason) in enumerate(wanted) if reason}
    assert identities.type == pa.binary()
    one, why = person_identities(pa.array(["x", *values, "6101901234"], pa.string())[1:-1], "1084")
    assert one.to_pylist() == [slowly(value, "1084")[0] for value in values]
    assert list(why.values()) == [reason for value in values if (reason := slowly(value, "1084")[1])]


def test_a_day_of_the_table_is_a_date_in_every_year() -> None:
    days = plain_days()
    for number in range(10_000):
        kind = PLAIN[days[number]]
        dates = {is_date(f"{number:04d}{year:02d}") for year in range(100)}
        if number in (2902, 8902):
            assert (kind, dates) == ("", {True, False})
        else:
            assert dates == {bool(kind)}
            assert kind in ("", "replacement" if number > 6099 else "cpr")


@settings(deadline=None)
@given(st.text(max_size=8), st.text(max_size=8), st.lists(st.text(max_size=120)))
def test_record_keys_are_written_canonically(kind: str, issuer: str, values: list[str]) -> None:
    made = key_identities(kind, issuer, pa.array(values, pa.string()))
    assert made.to_pylist() == [canonical(kind, issuer, value) for value in values]


ROWS = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 3)), st.sampled_from([None, "", "a", "b"])))


@settings(deadline=None)
@given(ROWS)
def test_texts_are_told_apart_by_their_issuer(rows: list[tuple[int | None, str | None]]) -> None:
    values = pa.array(["p", "q", "r", "s"])
    places = pa.array([place for place, _ in rows], pa.int32())
    column = pa.chunked_array([pa.array([issuer for _, issuer in rows], pa.string())])
    texts, issuers, at = by_issuer(values, column, places, "table")
    assert len(texts) == len(issuers)
    for (place, issuer), pair in zip(rows, at.to_pylist(), strict=True):
        if place is None:
            assert pair is None
        else:
            assert (texts[pair].as_py(), issuers[pair]) == (values[place].as_py(), issuer or "table")


def test_what_was_seen_is_what_a_set_holds() -> None:
    numbers = random.Random(secrets.randbits(40))
    seen, told = NumberSet(), set[int]()
    for _ in range(60):
        some = sorted({numbers.randrange(4000) for _ in range(numbers.randrange(300))})
        assert seen.add(np.array(some, np.uint64)).tolist() == [each not in told for each in some]
        told |= {*some}
        assert len(seen.runs) <= 12
    assert sorted(each for run in seen.runs for each in run.tolist()) == sorted(told)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 9)))
def test_among_is_being_in_it(known: list[int], numbers: list[int], both: list[int]) -> None:
    first, second = sorted({*known, *both[:5]}), sorted({*numbers, *both})
    found = among(np.array(first, np.uint64), np.array(second, np.uint64))
    assert found.tolist() == [each in set(first) for each in second]
