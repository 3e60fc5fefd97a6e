"""Attacks B2 to B5: no number leads to a token without the key, no pair to another, no study to another, no order."""

from __future__ import annotations

import hashlib
import hmac
import random

import numpy as np
import pandas as pd

from lakehouse.identity.pseudonyms import person_tokens, root_key_file
from lakehouse.identity.study_pseudonyms import study_key_file, tokens_of
from lakehouse.settings import Settings
from tests import attack_identity as attack


def test_b2_a_million_numbers_without_the_key(settings: Settings) -> None:
    path = root_key_file(settings, create=True)
    days = random.Random().sample(attack.dates(), 100)
    numbers = [f"{day}{serial:04d}" for day in days for serial in range(0, 10_000, 50)]
    tokens, _ = person_tokens(str(path), numbers, [""] * len(numbers))
    raw = frozenset(bytes.fromhex(token)[1:] for token in tokens if token)
    assert len(raw) > 15_000
    assert attack.search(days, raw) == (0, 1_000_000)


def test_b2_the_search_finds_what_is_not_keyed() -> None:
    number = b"0101900001"
    for guess in attack.guesses().values():
        hits, _ = attack.try_dates(["010190"], frozenset([guess(number)]), 10)
        assert hits == 1


def test_b2_the_space_is_whole() -> None:
    days = attack.dates()
    assert len(set(days)) * 10_000 == attack.SPACE


def test_b3_ten_thousand_known_pairs_lead_to_no_other(settings: Settings) -> None:
    path = root_key_file(settings, create=True)
    numbers, tokens = attack.tokens_of(path, 12_000)
    order = random.Random(3).sample(range(len(numbers)), len(numbers))
    known, others = order[:10_000], order[10_000:]
    wanted = {tokens[at] for at in others}
    keys = [bytes.fromhex(tokens[at]) for at in known[:200]]
    hidden = [numbers[at].encode() for at in others]
    forms = [b"", b"3:cpr0:10:"]
    tried = (
        "01" + hmac.digest(key, form + number, hashlib.sha256).hex()[:32]
        for key in keys
        for form in forms
        for number in hidden
    )
    assert not any(token in wanted for token in tried)
    assert not {tokens[at] for at in known} & wanted
    assert attack.bit_bias([numbers[at] for at in known], [tokens[at] for at in known]) < 6


def test_b4_two_studies_and_the_lake_share_no_token(settings: Settings) -> None:
    path = root_key_file(settings, create=True)
    _, tokens = attack.tokens_of(path, 50_000)
    lake = pd.Series(tokens)
    one, two = (set(tokens_of(lake, str(study_key_file(settings, name)))) for name in ("one", "two"))
    assert len(one) == len(two) == len(tokens)
    assert not one & two
    assert not (one | two) & set(tokens)


def test_b5_tokens_keep_no_order(settings: Settings) -> None:
    path = root_key_file(settings, create=True)
    numbers, tokens = attack.tokens_of(path, 200_000)
    lake = pd.Series(tokens)
    for made in (lake, tokens_of(lake, str(study_key_file(settings, "one")))):
        ranks = made.rank().to_numpy()
        for order in (np.arange(len(numbers)), pd.Series([n[4:6] + n[2:4] + n[:2] for n in numbers]).rank()):
            assert abs(np.corrcoef(order, ranks)[0, 1]) < 0.01
    assert abs(np.corrcoef(lake.rank(), made.rank())[0, 1]) < 0.01
