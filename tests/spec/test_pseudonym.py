"""Tokens against the definition, computed with the standard library alone; and who may read the key."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import ConfigurationError
from lakehouse.identity.identity_keys import canonical
from lakehouse.identity.pseudonyms import (
    domain_key,
    key_tokens,
    person_tokens,
    root_key_file,
    tokeniser,
)
from lakehouse.settings import load_settings


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return root_key_file(load_settings(tmp_path, "test"), create=True)


def expected(key_file: Path, domain: str, kind: str, issuer: str, value: str) -> str:
    pseudo_random = hmac.digest(b"\0" * 32, key_file.read_bytes(), hashlib.sha256)
    key = hmac.digest(pseudo_random, f"patternlake/token/{domain}/1".encode() + b"\x01", hashlib.sha256)
    message = f"{len(kind)}:{kind}{len(issuer)}:{issuer}{len(value)}:{value}".encode()
    return "01" + hmac.digest(key, message, hashlib.sha256).hex()[:32]


def test_a_person_token_is_hmac_under_a_derived_key(key_file: Path) -> None:
    tokens, reasons = person_tokens(str(key_file), ["010190-1234", "0101901234"], ["", "1084"])
    assert tokens == [expected(key_file, "person", "cpr", "", "0101901234")] * 2
    assert reasons == ["", ""]
    assert re.fullmatch("[0-9a-f]{34}", tokens[0] or "")


def test_a_record_key_is_a_token_of_its_own_domain(key_file: Path) -> None:
    value = "4000000000001072"
    (token,) = key_tokens(str(key_file), "contact", "cpr-contact", "", [value])
    assert token == expected(key_file, "contact", "cpr-contact", "", value)
    assert key_tokens(str(key_file), "course", "cpr-contact", "", [value]) != [token]


def test_equal_decentral_numbers_of_two_regions_are_two_persons(key_file: Path) -> None:
    tokens, _ = person_tokens(str(key_file), ["0101900AB3"] * 2 + ["0101901AB3"] * 2, ["1084", "1082"] * 2)
    assert tokens[0] != tokens[1]
    assert tokens[2] == tokens[3]


def test_nobody_gets_no_token(key_file: Path) -> None:
    assert person_tokens(str(key_file), ["0000000000", "x"], ["", ""]) == (
        [None, None],
        ["no_subject", "bad_cpr_length"],
    )


@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_different_identifiers_are_never_written_alike(left: tuple[str, ...], right: tuple[str, ...]) -> None:
    assert (canonical(*left) == canonical(*right)) == (left == right)


@given(st.binary(max_size=200))
def test_the_quick_token_is_hmac(message: bytes) -> None:
    path = Path(__file__)
    key = domain_key(str(path), "person")
    assert tokeniser(str(path), "person")(message)[2:] == hmac.digest(key, message, hashlib.sha256).hex()[:32]


def test_the_root_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, "test")
    path = root_key_file(settings, create=True)
    first = path.read_bytes()
    assert (path.stat().st_mode & 0o777, settings.keys.stat().st_mode & 0o777) == (0o600, 0o700)
    assert root_key_file(settings, create=True).read_bytes() == first
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="can be read by others"):
        root_key_file(settings, create=True)


def test_a_real_lake_gets_its_key_from_the_data_unit(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no root key"):
        root_key_file(load_settings(tmp_path, "test"), create=False)
