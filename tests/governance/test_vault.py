"""The vault: filled by workers that cannot open it, found again by token, shredded for good, rotated without a lost row."""

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakehouse.errors import ConfigurationError, DataError
from lakehouse.identity.enrolment import Enrolment
from lakehouse.identity.identity_keys import canonical, person_identities
from lakehouse.identity.key_wrapping import FileWrapper, TransitWrapper
from lakehouse.identity.pseudonyms import (
    advancer,
    person_tokens,
    root_key_file,
    successor,
    token_batch,
    tokeniser,
)
from lakehouse.identity.vault import (
    Identity,
    Vault,
    init_vault,
    open_vault,
    vault_at_ingest,
)
from lakehouse.settings import Settings

NUMBERS = ["6701901234", "6802501235", "6903401237"]


def filled(settings: Settings, numbers: list[str] = NUMBERS) -> tuple[Vault, list[str]]:
    """A vault filled the way an ingest fills it: a worker's sealed drop, then collected."""
    key = root_key_file(settings, create=True)
    vault = init_vault(settings)
    tokens = left_by_a_worker(key, numbers)
    vault.collect()
    return vault, tokens


def left_by_a_worker(key: Path, numbers: list[str], name: str = "part-0") -> list[str]:
    return [token for token in handed_over(key, numbers, "", name) if token]


def handed_over(key: Path, numbers: list[str], issuers: str | list[str], name: str) -> list[str | None]:
    identities, _ = person_identities(pa.array(numbers), issuers)
    tokens = token_batch(str(key), "person", identities)
    step = Enrolment(str(key), name)
    step.hand_over(tokens, identities)
    step.leave()
    listed: list[str | None] = tokens.to_pylist()
    return listed


def test_a_token_leads_back_to_its_number(settings: Settings) -> None:
    vault, tokens = filled(settings)
    assert vault.identify(tokens) == {
        token: Identity("replacement", "", number) for token, number in zip(tokens, NUMBERS, strict=True)
    }
    assert vault.identify(["01" + "0" * 32]) == {}
    assert not any(vault.inbox.iterdir())


def test_no_number_and_no_data_key_stands_in_any_file(settings: Settings) -> None:
    key = root_key_file(settings, create=True)
    init_vault(settings)
    left_by_a_worker(key, NUMBERS)
    drop = next(iter((settings.vault / "inbox").iterdir()))
    sealed = drop.read_bytes()
    open_vault(settings).collect()
    contents = [
        sealed,
        *(path.read_bytes() for path in settings.home.rglob("*") if path.is_file()),
    ]
    assert len(contents) > 5
    for number in NUMBERS:
        for form in (number.encode(), bytes.fromhex(number), int(number).to_bytes(8, "little")):
            assert not any(form in content for content in contents)


def test_the_vault_is_its_owners_alone(settings: Settings) -> None:
    filled(settings)
    paths = [settings.vault, *settings.vault.rglob("*"), settings.keys / "vault.known"]
    assert len(paths) > 5
    assert [path for path in paths if path.stat().st_mode & 0o077] == []
    (settings.vault / "kek.1.key").chmod(0o640)
    with pytest.raises(ConfigurationError, match="can be read by others"):
        open_vault(settings)


def test_whom_the_vault_has_is_left_no_second_time(settings: Settings) -> None:
    vault, _tokens = filled(settings)
    key = root_key_file(settings, create=False)
    left_by_a_worker(key, NUMBERS, "part-1")
    assert not any(vault.inbox.iterdir())
    left_by_a_worker(key, [*NUMBERS, "7105901238"], "part-2")
    assert vault.collect() == 1
    assert vault.count() == 4


def test_a_drop_left_twice_or_collected_again_after_a_kill_changes_nothing(settings: Settings) -> None:
    key = root_key_file(settings, create=True)
    vault = init_vault(settings)
    left_by_a_worker(key, NUMBERS)
    (drop,) = vault.inbox.iterdir()
    kept = drop.read_bytes()
    assert vault.collect() == 3
    drop.write_bytes(kept)
    (settings.keys / "vault.known").unlink()
    assert vault.collect() == 0
    assert vault.count() == 3


def test_a_changed_or_renamed_drop_is_refused_and_kept(settings: Settings) -> None:
    key = root_key_file(settings, create=True)
    vault = init_vault(settings)
    left_by_a_worker(key, NUMBERS)
    (drop,) = vault.inbox.iterdir()
    drop.rename(vault.inbox / "other-0.sealed")
    with pytest.raises(DataError, match="does not open"):
        vault.collect()
    assert len([*vault.inbox.iterdir()]) == 1
    assert vault.count() == 0


def test_shredded_is_gone_even_from_an_older_copy_of_the_sealed_records(
    settings: Settings, tmp_path: Path
) -> None:
    vault, tokens = filled(settings)
    wrapped = wrapped_of(vault, tokens[0])
    shutil.copy(vault.folder / "people.db", tmp_path / "people.db")
    assert vault.shred([tokens[0]]) == 1
    assert set(vault.identify(tokens)) == set(tokens[1:])
    contents = [path.read_bytes() for path in vault.folder.rglob("*") if path.is_file()]
    assert not any(wrapped in content for content in contents)
    shutil.copy(tmp_path / "people.db", vault.folder / "people.db")
    assert set(vault.identify(tokens)) == set(tokens[1:])


def wrapped_of(vault: Vault, token: str) -> bytes:
    with vault.database() as store:
        row = store.execute(
            "SELECT wrapped FROM keys.keys WHERE person = (SELECT person FROM people WHERE token = ?)",
            (bytes.fromhex(token),),
        ).fetchone()
    return bytes(row[0])


def test_rotation_loses_nobody_and_closes_older_copies(settings: Settings, tmp_path: Path) -> None:
    vault, tokens = filled(settings)
    before = vault.identify(tokens)
    copy = shutil.copytree(vault.folder, tmp_path / "copy")
    old_key = (vault.folder / "kek.1.key").read_bytes()
    (copy / "kek.1.key").unlink()
    assert vault.rotate() == 3
    assert vault.identify(tokens) == before
    assert [path.name for path in vault.folder.glob("kek.*")] == ["kek.2.key"]
    assert not any(old_key in path.read_bytes() for path in vault.folder.rglob("*") if path.is_file())
    shutil.copy(vault.folder / "kek.2.key", copy)
    with pytest.raises(ConfigurationError, match="does not open"):
        Vault(copy, settings.keys, FileWrapper(copy, create=False)).identify(tokens)
    left_by_a_worker(root_key_file(settings, create=False), ["7105901238"], "later")
    assert vault.collect() == 1


def test_a_rotation_killed_before_its_commit_is_repeated(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, tokens = filled(settings)

    def killed(self: FileWrapper, version: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(FileWrapper, "retire", killed)
        with pytest.raises(KeyboardInterrupt):
            vault.rotate()
    assert len(vault.identify(tokens)) == 3
    assert vault.rotate() == 3
    assert len(vault.identify(tokens)) == 3


def test_a_full_disk_is_a_refusal_and_leaves_what_was_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, tokens = filled(settings)
    key = root_key_file(settings, create=False)
    left_by_a_worker(key, ["7105901238"], "more")
    connect = sqlite3.connect

    def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        made = connect(*arguments, **options)
        made.execute("PRAGMA max_page_count = 1")
        return made

    monkeypatch.setattr(sqlite3, "connect", small)
    numbers = [f"67{month:02d}90{serial:04d}" for month in range(1, 13) for serial in range(200)]
    left_by_a_worker(key, numbers, "many")
    with pytest.raises(DataError, match="full"):
        vault.collect()
    monkeypatch.undo()
    assert len(vault.identify(tokens)) == 3
    vault.collect()
    assert vault.count() == 4 + len(numbers)


def test_a_real_lake_takes_nobody_in_without_a_vault(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="has no vault"):
        vault_at_ingest(settings, "real")
    init_vault(settings)
    vault_at_ingest(settings, "real")


def test_decentral_numbers_keep_their_issuer(settings: Settings) -> None:
    key = root_key_file(settings, create=True)
    vault = init_vault(settings)
    tokens = handed_over(key, ["0101900AB3"] * 2, ["1084", "1082"], "part")
    vault.collect()
    assert sorted(each.issuer for each in vault.identify([t for t in tokens if t]).values()) == [
        "1082",
        "1084",
    ]


def test_the_next_root_key_carries_old_tokens_to_what_pseudonymisation_makes_from_then_on(
    settings: Settings,
) -> None:
    vault, old = filled(settings)
    key = root_key_file(settings, create=False)
    successor(key, 2).touch(mode=0o600)
    successor(key, 2).write_bytes(os.urandom(32))
    new, _ = person_tokens(str(key), NUMBERS, [""] * 3)
    assert [advancer(str(key), 2)(token) for token in old] == new
    assert all(token is not None and token.startswith("02") for token in new)
    assert not {token[2:] for token in old} & {token[2:] for token in new if token}
    assert vault.advance(lambda tokens: [*map(advancer(str(key), 2), tokens)]) == 3
    assert [each.value for each in vault.identify([t for t in new if t]).values()]
    contact = canonical("cpr-contact", "", "41")
    assert tokeniser(str(key), "contact")(contact).startswith("02")


def test_an_unfinished_change_of_the_root_key_stops_pseudonymisation(settings: Settings) -> None:
    key = root_key_file(settings, create=True)
    (key.parent / "root.2.key.pending").touch(mode=0o600)
    with pytest.raises(ConfigurationError, match="unfinished"):
        root_key_file(settings, create=True)


class TransitServer:
    """The transit engine's contract on a local key: what hvac sends, what the server answers."""

    def __init__(self, folder: Path) -> None:
        self.keys = FileWrapper(folder, create=True)
        self.transit = self
        self.secrets = self

    def read_key(self, name: str) -> dict[str, Any]:
        return {"data": {"latest_version": self.keys.version}}

    def encrypt_data(self, name: str, plaintext: str, batch_input: list[dict[str, str]]) -> dict[str, Any]:
        plain = [base64.b64decode(each["plaintext"]) for each in batch_input]
        about = [base64.b64decode(each["context"]) for each in batch_input]
        made = [
            f"vault:v{self.keys.version}:{base64.b64encode(b).decode()}" for b in self.keys.wrap(plain, about)
        ]
        return {"data": {"batch_results": [{"ciphertext": each} for each in made]}}

    def decrypt_data(self, name: str, ciphertext: str, batch_input: list[dict[str, str]]) -> dict[str, Any]:
        blobs = [base64.b64decode(each["ciphertext"].rpartition(":")[2]) for each in batch_input]
        about = [base64.b64decode(each["context"]) for each in batch_input]
        plain = [base64.b64encode(key).decode() for key in self.keys.unwrap(blobs, about)]
        return {"data": {"batch_results": [{"plaintext": each} for each in plain]}}

    def rotate_key(self, name: str) -> None:
        self.keys.advance()

    def update_key_configuration(self, name: str, min_decryption_version: int) -> None:
        self.keys.retire(min_decryption_version)


def test_the_transit_back_end_holds_the_same_contract(settings: Settings, tmp_path: Path) -> None:
    _vault, tokens = filled(settings)
    server = TransitServer(tmp_path / "server")
    outside = Vault(tmp_path / "vault", settings.keys, TransitWrapper("patternlake", server))
    identities = [canonical("cpr", "", number) for number in NUMBERS]
    assert outside.add(tokens, identities) == 3
    box = outside.wrapper.wrap([b"k" * 32], [b"inbox"])[0]
    (tmp_path / "vault" / "inbox.key").write_bytes(box)
    assert outside.rotate() == 3
    assert [each.value for each in outside.identify(tokens).values()] == sorted(
        NUMBERS, key=lambda number: tokens[NUMBERS.index(number)]
    )
    assert outside.wrapper.version == 2
