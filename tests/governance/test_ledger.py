"""Attacks of group D: every way of tampering with the ledger is found, and the first bad entry is named."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.errors import ConfigurationError, ScopeBreach
from lakehouse.governance.ledger import anchors, ledger
from lakehouse.governance.ledger import check as ledger_check
from lakehouse.governance.ledger.signing import make_key, public_key, sign
from lakehouse.settings import Settings, load_settings

Lines = list[str]


@pytest.fixture
def written(settings: Settings) -> Settings:
    for number in range(6):
        ledger.append(settings, "receipt", {"run": f"run-{number}", "digest": "d" * number})
    return settings


def lines(settings: Settings) -> Lines:
    return ledger.ledger_path(settings).read_text().splitlines()


def rewrite(settings: Settings, content: Lines) -> None:
    ledger.ledger_path(settings).write_text("".join(line + "\n" for line in content))


def rehashed(entry: dict[str, object]) -> str:
    entry["hash"] = ledger_check.leaf_hash(ledger_check.canonical(entry)).hex()
    return json.dumps(entry)


def test_an_untouched_ledger_holds(written: Settings) -> None:
    assert ledger.verify(written).startswith("The ledger holds: 6 entries")
    assert len(ledger.anchor_places(written)) >= 2
    assert all(not place.is_relative_to(written.lake) for place in ledger.anchor_places(written))


def test_an_empty_ledger_holds(settings: Settings) -> None:
    assert ledger.verify(settings).startswith("The ledger holds: 0 entries")


VECTORS = {
    "": "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "00": "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "10": "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "2021": "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "3031": "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "40414243": "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "5051525354555657": "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "606162636465666768696a6b6c6d6e6f": "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
"""Leaves and the roots after each, as the certificate transparency project publishes them for RFC 6962."""


def test_roots_are_those_of_rfc_6962() -> None:
    peaks: list[bytes] = []
    assert ledger_check.root_of(peaks).hex().startswith("e3b0c442")
    for size, (leaf, root) in enumerate(VECTORS.items()):
        ledger_check.add_leaf(size, peaks, ledger_check.leaf_hash(bytes.fromhex(leaf)))
        assert ledger_check.root_of(peaks).hex() == root


def edit(content: Lines) -> Lines:
    entry = json.loads(content[2])
    entry["body"]["run"] = "another"
    return [*content[:2], json.dumps(entry), *content[3:]]


def edit_with_fresh_hash(content: Lines) -> Lines:
    entry = json.loads(content[2])
    entry["body"]["run"] = "another"
    return [*content[:2], rehashed(entry), *content[3:]]


def chained(content: Lines, change: int) -> Lines:
    """The ledger with entry ``change`` (from 0) altered and everything after it given fresh hashes and numbers."""
    changed, previous = list(content), json.loads(content[change - 1])["hash"]
    for index in range(change, len(content)):
        entry = json.loads(content[index])
        entry["previous"], entry["number"] = previous, index + 1
        if index == change:
            entry["body"]["run"] = "another"
        changed[index] = rehashed(entry)
        previous = json.loads(changed[index])["hash"]
    return changed


def set_back(content: Lines) -> Lines:
    changed = list(content)
    entry = json.loads(content[3])
    entry["time"] = "2001-01-01T00:00:00+00:00"
    changed[3] = rehashed(entry)
    return changed


def forged_end(content: Lines) -> Lines:
    entry = json.loads(content[-1])
    entry |= {"number": len(content) + 1, "previous": entry["hash"]}
    return [*content, rehashed(entry)]


TAMPERINGS: dict[str, tuple[Callable[[Lines], Lines], int]] = {
    "D1 edit": (edit, 3),
    "D1 edit with a fresh hash": (edit_with_fresh_hash, 3),
    "D1 garble": (lambda content: [*content[:3], "{half a li", *content[4:]], 4),
    "D1 not an entry": (lambda content: [*content[:3], "7", *content[4:]], 4),
    "D2 delete": (lambda content: [*content[:2], *content[3:]], 3),
    "D2 delete and rehash": (lambda content: chained([*content[:2], *content[3:]], 2), 3),
    "D3 truncate": (lambda content: content[:-1], 6),
    "D3 truncate to nothing": (lambda content: [], 1),
    "D4 reorder": (lambda content: [*content[:3], content[4], content[3], content[5]], 4),
    "D5 insert": (lambda content: [*content[:3], content[2], *content[3:]], 4),
    "D5 insert and rehash": (lambda content: chained([*content[:3], content[2], *content[3:]], 3), 4),
    "D5 append unsigned": (forged_end, 7),
    "D6 rewrite with fresh hashes": (lambda content: chained(content, 2), 3),
    "D9 clock rollback": (set_back, 4),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_and_the_entry_named(written: Settings, name: str) -> None:
    tamper, first_bad = TAMPERINGS[name]
    rewrite(written, tamper(lines(written)))
    with pytest.raises(ScopeBreach, match=f"entry {first_bad} "):
        ledger.verify(written)
    with pytest.raises((ScopeBreach, ConfigurationError)):
        ledger.append(written, "receipt", {"run": "next"})
        ledger.verify(written)


def test_d6_rewriting_ledger_and_one_anchor_is_found(written: Settings) -> None:
    changed = chained(lines(written), 2)
    rewrite(written, changed)
    leaves = "".join(json.loads(line)["hash"] + "\n" for line in changed)
    (ledger.anchor_places(written)[0] / "leaves").write_text(leaves)
    with pytest.raises(ScopeBreach, match="entry 3 differs between the anchors"):
        ledger.verify(written)


def test_d6_a_head_signed_with_another_key_is_found(written: Settings, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other.key")
    for place in ledger.anchor_places(written):
        head = json.loads((place / "head.json").read_text())
        head["root"] = "0" * 64
        head["sig"] = sign(other, ledger_check.head_bytes(head))
        (place / "head.json").write_text(json.dumps(head))
    with pytest.raises(ScopeBreach, match=r"entry 6 .* did not sign"):
        ledger.verify(written)


def test_d7_deleting_an_anchor_and_entries_is_found_by_the_other(written: Settings) -> None:
    ledger.ledger_path(written).chmod(0o400)
    shutil.rmtree(ledger.anchor_places(written)[0])
    ledger.ledger_path(written).chmod(0o600)
    rewrite(written, lines(written)[:4])
    with pytest.raises(ScopeBreach, match="entry 5 is missing"):
        ledger.verify(written)


def test_d8_restoring_an_older_state_of_ledger_and_anchor_is_found_by_the_other(
    written: Settings, tmp_path: Path
) -> None:
    first, kept = ledger.anchor_places(written)[0], tmp_path / "backup"
    shutil.copytree(first, kept / "anchor")
    shutil.copytree(ledger.ledger_path(written).parent, kept / "ledger")
    ledger.append(written, "receipt", {"run": "later"})
    shutil.copytree(kept / "anchor", first, dirs_exist_ok=True)
    shutil.copytree(kept / "ledger", ledger.ledger_path(written).parent, dirs_exist_ok=True)
    with pytest.raises(ScopeBreach, match="entry 7 is missing"):
        ledger.verify(written)
    with pytest.raises(ScopeBreach, match="entry 7 is missing"):
        ledger.append(written, "receipt", {"run": "after the restore"})


def test_d9_a_clock_set_back_is_refused(written: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Earlier(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Earlier:  # type: ignore[override]
            past = datetime.now(UTC) - timedelta(days=1)
            return cls.fromtimestamp(past.timestamp(), UTC)

    monkeypatch.setattr(ledger, "datetime", Earlier)
    with pytest.raises(ConfigurationError, match="Set the clock right"):
        ledger.append(written, "receipt", {"run": "yesterday"})
    monkeypatch.undo()
    assert ledger.verify(written).startswith("The ledger holds: 6 entries")


def test_d10_two_histories_shown_to_two_auditors_are_found(written: Settings) -> None:
    forked = load_settings(written.home.parent / "fork", "test")
    shutil.copytree(written.home, forked.home)
    for home in (written, forked):
        for number in range(3):
            ledger.append(home, "receipt", {"run": f"{home.home.name}-{number}"})
    ours, theirs = ledger.anchor_places(written)[0], ledger.anchor_places(forked)[0]
    key = public_key(ledger.key_path(written))
    with pytest.raises(ledger_check.LedgerFault, match="entry 7 differs between the anchors"):
        ledger_check.check(ledger.ledger_path(written), [ours, theirs], key)


def test_d11_a_run_killed_between_reading_and_recording_stays_visible(settings: Settings) -> None:
    code = f"""
        import os, signal
        from lakehouse.governance.ledger import ledger
        from lakehouse.settings import load_settings
        settings = load_settings({str(settings.home)!r}, "test")
        ledger.append(settings, "intent", {{"run": "fine"}})
        ledger.append(settings, "receipt", {{"run": "fine"}})
        ledger.append(settings, "intent", {{"run": "killed"}})
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL
    told = ledger.verify(settings)
    assert "3 entries" in told and "Intent without a receipt: run killed." in told and "fine" not in told


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


class Kill(BaseException):
    """Stands for the end of the process at a chosen place."""


@pytest.mark.parametrize("at", ["before any anchor", "between the anchors", "in the middle of the line"])
def test_a_writer_killed_on_the_way_loses_nothing_that_was_told(
    written: Settings, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    done = 0

    def stop(place: Path, *rest: object) -> None:
        nonlocal done
        if at == "between the anchors" and not done:
            done += 1
            return write(place, *rest)  # type: ignore[arg-type]
        raise Kill

    write = anchors.write
    monkeypatch.setattr(anchors, "write", stop)
    with pytest.raises(Kill):
        ledger.append(written, "intent", {"run": "killed"})
    monkeypatch.undo()
    if at == "in the middle of the line":
        path = ledger.ledger_path(written)
        path.write_bytes(path.read_bytes()[:-20])
        assert "unfinished line follows entry 6" in ledger.verify(written)
    else:
        assert "7 entries" in ledger.verify(written)
    ledger.append(written, "intent", {"run": "next"})
    expected = 7 if at == "in the middle of the line" else 8
    assert ledger.verify(written).startswith(f"The ledger holds: {expected} entries")


def test_a_ledger_that_cannot_be_anchored_refuses(written: Settings) -> None:
    place = ledger.anchor_places(written)[1]
    shutil.rmtree(place)
    place.write_text("no folder")
    with pytest.raises(ConfigurationError, match="ledger cannot be written"):
        ledger.append(written, "intent", {"run": "unanchored"})


def test_a_lost_anchor_is_filled_from_the_other(written: Settings) -> None:
    shutil.rmtree(ledger.anchor_places(written)[1])
    ledger.append(written, "intent", {"run": "next"})
    assert [len(list(ledger_check.Place.read(p, None).leaves())) for p in ledger.anchor_places(written)] == [
        7,
        7,
    ]


@pytest.mark.parametrize("value", ["01" + "ab" * 16, "0101701234", "010170-1234"])
def test_no_token_and_no_person_number_enters(settings: Settings, value: str) -> None:
    with pytest.raises(ValueError, match="person"):
        ledger.append(settings, "intent", {"run": "r", "note": f"person {value} asked"})
    assert not ledger.ledger_path(settings).exists()


def test_the_verifier_stands_alone(written: Settings, tmp_path: Path) -> None:
    alone = Path(shutil.copy(ledger_check.__file__, tmp_path / "verify.py"))
    place = ledger.anchor_places(written)[0]
    command = [sys.executable, "-I", str(alone), str(ledger.ledger_path(written))]
    command += [f"--anchor={each}" for each in ledger.anchor_places(written)] + [
        f"--key={place / 'ledger.pub'}"
    ]
    good = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert good.returncode == 0 and "6 entries" in good.stdout
    rewrite(written, chained(lines(written), 2))
    bad = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert bad.returncode == 14 and "entry 3 " in bad.stderr


def made_up(path: Path, place: Path, key: Path, count: int) -> None:
    """A ledger of many entries with its anchor, written without the locks and disk waits of real appending."""
    tail = ledger.Tail()
    place.mkdir(parents=True)
    with (
        path.open("w") as file,
        (place / "leaves").open("w") as leaves,
        (place / "heads.jsonl").open("w") as heads,
    ):
        for number in range(1, count + 1):
            body = {
                "run": f"{number // 2:032x}",
                "study": "demo",
                "scope": f"{number:036x}",
                "state": "accounted",
            }
            kind = "receipt" if number % 2 else "intent"
            entry: dict[str, object] = {
                "number": number,
                "time": "2025-01-01T00:00:00+00:00",
                "kind": kind,
                "body": body,
            }
            entry["previous"] = tail.newest
            line = rehashed(entry)
            file.write(line + "\n")
            tail.add(entry)
            leaves.write(f"{tail.newest}\n")
            if number % anchors.KEPT_EVERY == 0 or number == count:
                head = {"size": number, "root": ledger_check.root_of(tail.peaks).hex(), "time": tail.time}
                text = json.dumps(head | {"sig": sign(key, ledger_check.head_bytes(head))})
                heads.write(text + "\n")
    (place / "head.json").write_text(text)


def timed_check(folder: Path, count: int) -> float:
    """Seconds it takes to verify a made-up ledger."""
    key = make_key(folder / "k.key")
    made_up(folder / "l.jsonl", folder / "place", key, count)
    begin = time.process_time()
    assert ledger_check.check(folder / "l.jsonl", [folder / "place"], public_key(key)).entries == count
    return time.process_time() - begin


def test_verifying_takes_less_than_60_microseconds_an_entry(tmp_path: Path) -> None:
    assert timed_check(tmp_path, 20_000) < 20_000 * 60e-6


@pytest.mark.slow
def test_a_million_entries_verify_within_a_minute(tmp_path: Path) -> None:
    seconds = timed_check(tmp_path, 1_000_000)
    print(f"1,000,000 entries verified in {seconds:.1f} s on one core ({os.cpu_count()} here)")
    assert seconds <= 60


def test_digests__are_no_person_numbers(settings: Settings) -> None:
    """A digest may hold ten digits in a row; nine runs in a hundred would otherwise end in an error."""
    for number in range(60):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        ledger.append(settings, "receipt", {"scope": digest[:36], "record": digest})
    ledger.append(settings, "receipt", {"scope": "31820bf4a762cd6edb8b0750170148b4c762"})
