"""Study pseudonyms: the construction redone by hand, one study's tokens unlike another's, keys readable by their owner."""

from __future__ import annotations

import hashlib
import hmac

import pandas as pd
import pytest

from lakehouse.errors import ConfigurationError
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.identity.study_pseudonyms import study_key_file, tokens_of
from lakehouse.settings import Settings

LAKE = pd.Series(["01" + "a" * 32, None, "01" + "b" * 32, "01" + "a" * 32])


def hkdf(key: bytes, info: str) -> bytes:
    """RFC 5869 with SHA-256, no salt, one block."""
    extracted = hmac.new(b"\0" * 32, key, hashlib.sha256).digest()
    return hmac.new(extracted, info.encode() + b"\x01", hashlib.sha256).digest()


def test_tokens__are_the_declared_construction(settings: Settings) -> None:
    root = root_key_file(settings, create=True).read_bytes()
    path = study_key_file(settings, "one")
    assert path.read_bytes() == hkdf(root, "patternlake/token/study/one/1")
    key = hkdf(path.read_bytes(), "patternlake/token/study/1")
    by_hand = [
        None if token is None else "01" + hmac.new(key, token.encode(), hashlib.sha256).hexdigest()[:32]
        for token in LAKE
    ]
    assert tokens_of(LAKE, str(path)).tolist() == by_hand


def test_tokens__of_two_studies_have_nothing_in_common(settings: Settings) -> None:
    root_key_file(settings, create=True)
    one, two = (set(tokens_of(LAKE, str(study_key_file(settings, name)))) for name in ("one", "two"))
    assert one & two == {None}
    assert not (one | two) & set(LAKE.dropna())


def test_key__is_its_owners_alone_and_made_once(settings: Settings) -> None:
    root_key_file(settings, create=True)
    path = study_key_file(settings, "one")
    made = path.stat().st_mtime_ns
    assert study_key_file(settings, "one").stat().st_mtime_ns == made
    assert path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0


def test_key__without_a_root_key_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="no root key"):
        study_key_file(settings, "one")
