"""The release desk: nothing leaves by one person, after a change, or of a run that is not accounted for."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.errors import (
    ConfigurationError,
    DataError,
    DisclosureRefused,
    PatternlakeError,
    PermissionRefused,
    ScopeBreach,
    UsageError,
)
from lakehouse.governance.approvals import signatories
from lakehouse.governance.ledger import ledger
from lakehouse.governance.output_gate.folder import open_folder
from lakehouse.governance.output_gate.gate import judge
from lakehouse.governance.output_gate.limits_and_verdict import Limits
from lakehouse.governance.output_gate.reasons import Rule
from lakehouse.governance.release.files import copied
from lakehouse.governance.release.package import RECORD, export, verify
from lakehouse.governance.release.records import Actor, acting, desk, folder_of, load, state, steps
from lakehouse.governance.release.requests import request, review, withdraw
from lakehouse.governance.scope.scope import State
from tests.support.checked_folders import checked_folder
from tests.support.desks import Desk, make_desk
from tests.support.pattern_tables import patterns, scope_like


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    return make_desk(tmp_path / "home")


def ask(at: Desk, run: Path | None = None, by: Actor | None = None) -> str:
    return request(at.settings, run or at.run, by or at.anna, purpose="a paper", recipient="a journal").id


def approve(at: Desk, release: str, by: Actor | None = None) -> None:
    review(at.settings, release, by or at.bo, approve=True, reason="")


def test_a_release__from_request_to_a_folder_that_holds(at: Desk, tmp_path: Path) -> None:
    release = ask(at)
    approve(at, release)
    out = export(at.settings, release, tmp_path / "out")
    assert "2 files, asked for by anna, reviewed by bo" in verify(out, at.settings)
    assert verify(out) == verify(out, at.settings)
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == [
        "README.txt", "notes.md", "release.json", "scope.json", "table.parquet",
    ]  # fmt: skip
    record = json.loads((out / RECORD).read_text())
    assert (
        record["limits"]["persons"] == 5 and record["rehearsal"] and record["request"]["run"] == at.run.name
    )
    assert json.loads((out / "scope.json").read_text())["state"] == "accounted"
    assert pq.read_table(out / "files" / "table.parquet").column("mean").to_pylist()[0] == 1.23457, (
        "honest digits"
    )
    assert [kind for kind, _ in steps(at.settings, release)] == [
        "release-request",
        "release-approval",
        "release",
    ]
    assert "The ledger holds" in ledger.verify(at.settings)


def test_c14__nobody_approves_their_own(at: Desk) -> None:
    release = ask(at)
    signatories.enter(at.settings, signatories.Signatory("eva", "author-account", "ef" * 32, ("approver",)))
    key = signatories.make_pair(at.settings.home / "signatories" / "x.pem", "sign")
    signatories.enter(
        at.settings, signatories.Signatory("carl", "carl-account", key, ("approver", "requester"))
    )
    carl = Actor("carl", at.settings.home / "signatories" / "x.pem", "carl-account")
    for who in (
        at.anna,
        replace(at.bo, account=at.anna.account),
        replace(at.bo, key=at.anna.key),
        replace(carl, account="bo-account"),
        Actor("eva", carl.key, "author-account"),
        Actor("nobody", carl.key, "nobody"),
    ):
        with pytest.raises(PermissionRefused):
            approve(at, release, who)
    own = ask(at, by=carl)
    with pytest.raises(PermissionRefused, match="second person"):
        approve(at, own, carl)
    with pytest.raises(PermissionRefused, match="needs it to be approved"):
        export(at.settings, release, at.settings.home / "out")
    assert state(at.settings, release) == "requested"


def test_one_account_on_a_real_lake__cannot_play_two(tmp_path: Path) -> None:
    at = make_desk(tmp_path / "home", kind="real")
    with pytest.raises(PermissionRefused, match="account of their own"):
        acting(at.settings, "bo", at.bo.key, "bo-account")
    assert acting(at.settings, "bo", at.bo.key).account not in ("bo-account", "anna-account")


def test_a_second_name_for_one_account_or_key__cannot_be_entered(at: Desk) -> None:
    anna = signatories.signatories(at.settings)["anna"]
    for twin in (
        replace(anna, name="anne"),
        replace(anna, name="anne", account="b"),
        replace(anna, key="00" * 32),
    ):
        with pytest.raises(PermissionRefused, match="One person under two names"):
            signatories.enter(at.settings, replace(twin, roles=("approver",)))


@pytest.mark.parametrize("what", ["change", "remove", "add", "swap", "link", "describe"])
def test_c15__a_change_voids_the_review(at: Desk, tmp_path: Path, what: str) -> None:
    release = ask(at)
    approve(at, release)
    files = folder_of(at.settings, release) / "files"
    notes = files / "notes.md"
    if what == "change":
        notes.chmod(0o600)
        notes.write_text(notes.read_text() + " ")
    elif what == "remove":
        notes.unlink()
    elif what == "add":
        (files / "more.md").write_text("x")
    elif what == "swap":
        notes.unlink()
        shutil.copyfile(files / "table.parquet", notes)
    elif what == "link":
        notes.unlink()
        notes.symlink_to("/etc/hostname")
    else:
        (files / "outputs.json").chmod(0o600)
        (files / "outputs.json").write_text("{}")
    with pytest.raises(DisclosureRefused, match="void"):
        export(at.settings, release, tmp_path / "out")
    assert not (tmp_path / "out" / release).exists()


@pytest.mark.parametrize("part", ["request.json", "review.json", "review.sig", "request.sig"])
def test_a_forged_word__is_no_word(at: Desk, tmp_path: Path, part: str) -> None:
    release = ask(at)
    approve(at, release)
    path = folder_of(at.settings, release) / part
    text = path.read_text()
    forged = {
        "request.json": text.replace("a journal", "a friend"),
        "review.json": text.replace('"bo"', '"anna"'),
    }.get(part, text[:-2] + ("ff" if text.endswith("00") else "00"))
    assert forged != text
    path.write_text(forged)
    with pytest.raises(PermissionRefused):
        export(at.settings, release, tmp_path / "out")


def test_a_review_outside_the_ledger__counts_for_nothing(at: Desk, tmp_path: Path) -> None:
    first, second = ask(at), ask(at)
    approve(at, first)
    for part in ("review.json", "review.sig"):
        shutil.copyfile(folder_of(at.settings, first) / part, folder_of(at.settings, second) / part)
    with pytest.raises(PermissionRefused, match="is requested"):
        export(at.settings, second, tmp_path / "out")


@pytest.mark.parametrize("wrong", [State.UNACCOUNTED, State.BREACH])
def test_a_run_not_accounted_for__is_refused(at: Desk, wrong: State) -> None:
    with pytest.raises(ScopeBreach, match="not accounted for"):
        ask(at, at.run_again("bb22" * 8, wrong))
    assert not list(desk(at.settings).glob("r*"))


def test_a_scope_that_was_made_better__is_refused(at: Desk) -> None:
    run = at.run_again("cc33" * 8, State.UNACCOUNTED)
    path = run / "scope.json"
    path.write_text(path.read_text().replace('"unaccounted"', '"accounted"'))
    with pytest.raises(ScopeBreach, match="was changed"):
        ask(at, run)
    content = json.loads((at.run / "scope.json").read_text())
    content.pop("digest")
    content["reads"] = []
    path.write_text(json.dumps({**content, "actor": "somebody"}))
    with pytest.raises(ScopeBreach, match="not accounted for"):
        ask(at, run)
    (run / "scope.json").unlink()
    with pytest.raises(ScopeBreach, match="no scope record"):
        ask(at, run)


def test_the_gate__stops_a_request_and_says_why(at: Desk) -> None:
    run = at.run_again("dd44" * 8, cells=(3, 50, 60))
    with pytest.raises(DisclosureRefused, match="fewer than 5 persons"):
        ask(at, run)
    release = next(path.parent.name for path in desk(at.settings).glob("r*/request.json"))
    assert state(at.settings, release) == "refused by the gate"
    assert (
        "3"
        in json.loads((folder_of(at.settings, release) / "gate.json").read_text())["findings"][0]["evidence"]
    )
    said = [body for kind, body in steps(at.settings, release) if kind == "release-refusal"]
    assert said[0]["rules"] == ["small cell"], "the ledger names the rule and no number"
    with pytest.raises(PermissionRefused):
        approve(at, release)


def test_a_table_nobody_described__is_refused(at: Desk) -> None:
    (at.run / "checked" / "outputs.json").unlink()
    with pytest.raises(DisclosureRefused, match="number of persons behind a figure is not given"):
        ask(at)


def test_differences__are_told_between_releases(at: Desk, tmp_path: Path) -> None:
    """The same table with three persons fewer: each alone is harmless."""
    second, late = at.run_again("ee55" * 8, cells=(40, 53, 60)), at.run_again("ff66" * 8, cells=(40, 55, 60))
    first, other = ask(at), ask(at, second)
    for release in (first, other):
        approve(at, release)
    export(at.settings, first, tmp_path / "out")
    with pytest.raises(DisclosureRefused, match="released before"):
        export(at.settings, other, tmp_path / "out")
    with pytest.raises(DisclosureRefused, match="released before"):
        ask(at, second)
    ask(at, late)
    assert not (tmp_path / "out" / other).exists()


def test_c13__many_small_exports_are_stopped(at: Desk) -> None:
    for number in range(25):
        ledger.append(at.settings, "release", {"release": f"old{number}", "study": "asthma"})
    with pytest.raises(DisclosureRefused, match="too often"):
        ask(at)


def test_withdrawal__ends_a_release_and_is_told(at: Desk, tmp_path: Path) -> None:
    release = ask(at)
    approve(at, release)
    out = export(at.settings, release, tmp_path / "out")
    with pytest.raises(UsageError, match="needs a reason"):
        withdraw(at.settings, release, at.anna, " ")
    withdraw(at.settings, release, at.anna, "an error in the cohort")
    with pytest.raises(DisclosureRefused, match="the release is withdrawn"):
        verify(out, at.settings)
    with pytest.raises(PermissionRefused, match="is withdrawn"):
        export(at.settings, release, tmp_path / "again")
    with pytest.raises(UsageError, match="withdrawn before"):
        withdraw(at.settings, release, at.anna, "again")


def test_a_rejection__needs_a_reason_and_ends_it(at: Desk, tmp_path: Path) -> None:
    release = ask(at)
    with pytest.raises(UsageError, match="needs a reason"):
        review(at.settings, release, at.bo, approve=False, reason="")
    review(at.settings, release, at.bo, approve=False, reason="no context")
    with pytest.raises(PermissionRefused, match="is rejected"):
        export(at.settings, release, tmp_path / "out")


@pytest.mark.parametrize("what", ["file", "extra", "scope", "signature", "key", "record"])
def test_an_export_that_was_touched__does_not_hold(at: Desk, tmp_path: Path, what: str) -> None:
    release = ask(at)
    approve(at, release)
    out = export(at.settings, release, tmp_path / "out")
    record = json.loads((out / RECORD).read_text())
    if what == "file":
        (out / "files" / "notes.md").write_text("other")
    elif what == "extra":
        (out / "files" / "more.txt").write_text("other")
    elif what == "scope":
        (out / "scope.json").write_text("{}")
    elif what == "signature":
        record["signatures"]["review"] = "00" * 64
    elif what == "key":
        record["keys"]["bo"] = record["keys"]["anna"]
    else:
        record["review"]["approve"] = False
    (out / RECORD).write_text(json.dumps(record))
    for settings in (None, at.settings):
        with pytest.raises(DisclosureRefused, match="does not hold"):
            verify(out, settings)


def test_permission__export_must_be_granted(at: Desk) -> None:
    path = at.settings.definition("permits", "asthma")
    path.write_text(
        path.read_text().replace('"export"', '"mine"').replace('"mine", "train", "mine"', '"mine"')
    )
    with pytest.raises(PermissionRefused, match="does not allow an export"):
        ask(at)


def test_files_of_the_desk__are_for_their_owner_alone(at: Desk) -> None:
    place = folder_of(at.settings, ask(at))
    for path in place.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0 or path.is_dir(), path
    assert (place / "files").stat().st_mode & 0o077 == 0
    assert load(at.settings, place.name[:12]).id == place.name
    with pytest.raises(DataError, match="fits 0 releases"):
        load(at.settings, "r1999")
    with pytest.raises(PatternlakeError):
        ask(at, at.settings.results / "asthma" / "nothing")


def test_what_a_run_publishes__passes_the_gate_and_not_what_it_hid(tmp_path: Path) -> None:
    raw = patterns(40, persons=60_000, planted=30)
    source = checked_folder(raw, tmp_path)
    honest = {scope_like()["digest"]}
    copied(source, tmp_path / "copy", 6)
    record = judge(open_folder(tmp_path / "copy", honest).outputs, Limits())
    assert record.passed, record.describe()
    assert (tmp_path / "copy" / "patterns.parquet").is_file() and (
        tmp_path / "copy" / "report.html"
    ).is_file()
    table = pq.read_table(source / "patterns.parquet")
    hidden = [i for i, word in enumerate(table.column("small_cell").to_pylist()) if word]
    truth = {(r["code_a"], r["code_b"]): r for r in raw.table.to_pylist()}
    rows = table.to_pylist()
    for name in ("O", "n_before", "n_same_day", "n_after", "n_person"):
        rows[hidden[0]][name] = truth[rows[hidden[0]]["code_a"], rows[hidden[0]]["code_b"]][name]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), source / "patterns.parquet")
    told = judge(open_folder(source, honest).outputs, Limits()).rules
    assert told & {Rule.SMALL_CELL, Rule.RECOVERABLE, Rule.MISSING_CATEGORY}


def test_differences__are_told_between_studies_whose_persons_are_nested(at: Desk, tmp_path: Path) -> None:
    """One study counts everybody, another a part: their difference counts the rest. Two parts are not compared."""
    from lakehouse.governance.output_gate.memory import EVERYBODY, Memory

    release = ask(at)
    approve(at, release)
    export(at.settings, release, tmp_path / "out")
    memory, counts = Memory.of(at.settings), {"table.parquet|group=a": 37}
    part, other = '{"population":"region = 1"}', '{"population":"region = 2"}'
    assert memory.judge("x", "other-study", counts, Limits(), whom=part), "a part of everybody"
    assert memory.judge("x", "other-study", counts, Limits(), whom=EVERYBODY)
    assert not memory.judge("x", "other-study", {"table.parquet|group=a": 20}, Limits(), whom=part)
    memory.remember("r2", "third", {"only here": 50}, whom=other)
    assert not memory.judge("x", "fourth", {"only here": 48}, Limits(), whom=part)
    assert memory.judge("x", "fourth", {"only here": 48}, Limits(), whom=other), (
        "the same persons by their words"
    )
    assert b"region" not in b"".join(
        p.read_bytes() for p in (at.settings.home / "releases" / "memory").iterdir()
    )


def test_differences__are_told_by_the_persons_that_runs_read(at: Desk, tmp_path: Path) -> None:
    """What counts is whether one run's persons lie within the other's, whatever the words."""
    everybody = np.random.default_rng(secrets.randbits(40)).choice(1_000_000, 3_000, replace=False)
    part, others, most = everybody[:2_000], everybody[1_000:], everybody[3:]

    def released(name: str, cells: tuple[int, ...], persons: Iterable[int]) -> None:
        release = ask(at, at.run_again(name, cells=cells, persons=persons))
        approve(at, release)
        export(at.settings, release, tmp_path / name)

    released("b" * 32, (40, 50, 60), part)
    released("c" * 32, (42, 53, 61), others)
    with pytest.raises(DisclosureRefused, match="released before"):
        ask(at, at.run_again("d" * 32, cells=(41, 90, 100), persons=everybody))
    released("e" * 32, (140, 150, 160), everybody)
    with pytest.raises(DisclosureRefused, match="released before"):
        ask(at, at.run_again("f" * 32, cells=(138, 150, 160), persons=most))
    released("aa" * 16, (140, 150, 160), most)


def test_differences__cannot_be_told_when_the_persons_of_a_run_are_lost(at: Desk) -> None:
    lost = at.run_again("b" * 32, persons=range(500))
    (at.settings.keys / "persons" / "sets" / f"{'b' * 32}.set").unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ask(at, lost)
