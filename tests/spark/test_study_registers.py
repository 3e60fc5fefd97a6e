"""What the process keeps of its studies: as much as those at work need, however many came before, and with threads."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lakehouse.errors import PermissionRefused
from lakehouse.governance.access import openings
from lakehouse.governance.guard import plan_check, side_doors
from lakehouse.governance.guard.file_watch import FileWatch
from lakehouse.governance.guard.guarded_state import GuardedState
from lakehouse.governance.observers import hub as hubs
from lakehouse.governance.observers.hub import Hub, RecentIdentities
from lakehouse.governance.scope.scope import State
from lakehouse.spark_internals.process import worker_environment
from lakehouse.study import at_work
from lakehouse.study.session import Study
from tests.support.study_lab import Lab

SERIALS = itertools.count(10**9)
"""Serial numbers that no study of this process has."""


@pytest.fixture
def alone() -> Iterator[None]:
    """A register of openings without what other tests left."""
    kept = dict(openings._register), dict(openings._open_since)
    openings._register.clear()
    openings._open_since.clear()
    yield
    openings._register.clear()
    openings._register.update(kept[0])
    openings._open_since.update(kept[1])


def opened() -> int:
    serial = next(SERIALS)
    openings.begin(serial)
    return serial


def ended(serial: int) -> None:
    openings.close(serial)
    openings.end(serial)


def handed(serial: int, **options: Any) -> str:
    return openings.issue("lab", serial, "gold.event", ("day",), **options).rpartition("#")[2]


def test_openings_of_ended_studies_do_not_gather(alone: None) -> None:
    for _ in range(300):
        serial = opened()
        for platform in (False, False, False, True):
            handed(serial, platform=platform)
        ended(serial)
    assert len(openings.register()) == openings.KEPT_ENDED
    assert not any(each.platform for each in openings.register().values())


def test_an_opening_stays_as_long_as_a_study_may_come_upon_it(alone: None) -> None:
    ours, theirs = opened(), opened()
    shared, platform = handed(theirs), handed(theirs, platform=True)
    ended(theirs)
    counted = handed(theirs, platform=True)
    openings.end(theirs)
    for _ in range(openings.KEPT_ENDED):
        serial = opened()
        handed(serial)
        ended(serial)
    assert {shared, platform, counted} <= set(openings.register())
    ended(ours)
    assert len(openings.register()) == openings.KEPT_ENDED
    assert not {shared, platform, counted} & set(openings.register())


def test_the_newest_ended_are_known_by_name(alone: None) -> None:
    first, last = opened(), opened()
    old = handed(first)
    ended(first)
    new = [handed(last) for _ in range(openings.KEPT_ENDED)]
    ended(last)
    assert set(openings.register()) == set(new)
    assert old not in openings.register()
    assert all(
        each.closed is not None and not each.open_at(time.monotonic())
        for each in openings.register().values()
    )


def test_known_queries_are_forgotten_in_their_order() -> None:
    known = RecentIdentities[str]()
    known.add(["a", "b", "c"])
    known.add(["a"])
    known.forget_before(2)
    assert list(known) == ["c", "a"]
    known.forget_before(known.count)
    assert len(known) == 0 and "a" not in known


def sizes(lab: Lab) -> dict[str, int]:
    hub = Hub.of(lab.spark)
    return {
        "openings": len(openings.register()), "studies at work": at_work.number(),
        "checks": len(plan_check._checks), "watchers": len(side_doors._watchers), "files": len(FileWatch._active),
        "observers": len(hub.listening), "marks": len(hub._since), "plans": len(hub._plans),
        "queries": len(hub.queries), "metrics": len(hub.metrics), "hubs": len(Hub._by_session),
    }  # fmt: skip


def test_many_studies_in_one_session_leave_no_more_than_few(
    lab: Lab, alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "KEPT_EARLIER", 5)
    monkeypatch.setattr(openings, "KEPT_ENDED", 4)
    after = []
    for _ in range(6):
        scope = lab.run(lambda study: study.table("gold.person", ["sex"]).collect())
        assert scope.state is State.ACCOUNTED, scope.reasons
        after.append(sizes(lab))
    assert after[-1] == after[-2]
    assert {name for name, size in after[-1].items() if size} == {"openings", "queries", "hubs"}
    assert after[-1]["openings"] <= 4
    assert after[-1]["queries"] <= 5


def test_a_frame_kept_from_an_ended_study_is_refused_whether_or_not_it_is_known(
    lab: Lab, alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept, words in ((4, "after that study was closed"), (0, "claims an opening")):
        monkeypatch.setattr(openings, "KEPT_ENDED", kept)
        with lab.open() as study:
            frame = study.table("gold.person", ["sex"])
        with lab.open() as later, pytest.raises(PermissionRefused, match=words):
            frame.collect()
        assert later.scope().state is not State.BREACH


def test_hubs_of_ended_applications_go_when_another_is_made(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Hub.of(lab.spark)
    monkeypatch.setattr(Hub, "_by_session", dict(Hub._by_session))
    ended = Hub(lab.spark.newSession())
    ended.application = "an application that has ended"
    Hub._by_session["ended"] = ended
    assert Hub.of(lab.spark) is kept
    own = lab.spark.newSession()
    made = Hub.of(own)
    assert Hub.of(own) is made is not kept
    assert "ended" not in Hub._by_session
    assert kept in Hub._by_session.values()


def test_a_guard_that_cannot_be_set_up_leaves_nothing_behind(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.run(lambda study: study.table("gold.person", ["sex"]).collect())
    before = sizes(lab)

    def failing(state: GuardedState, report: object) -> None:
        raise OSError("no guard")

    with monkeypatch.context() as patch:
        patch.setattr(GuardedState, "close_doors", failing)
        study = lab.open()
        with pytest.raises(OSError, match="no guard"):
            study.__enter__()
    assert not study.is_open
    assert {**sizes(lab), "queries": 0} == {**before, "queries": 0}


def test_studies_of_many_threads_each_have_their_record(lab: Lab) -> None:
    together = threading.Barrier(4)
    environment = worker_environment(lab.spark)

    def one(number: int) -> tuple[Study, int]:
        together.wait(120)
        with lab.open() as study:
            assert side_doors.CLOSED in environment
            rows = study.table("gold.person", ["sex"]).count()
            assert study.is_open
        assert not study.is_open
        return study, rows

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(one, range(4)))
    assert len({rows for _, rows in done}) == 1
    for study, _ in done:
        scope = study.scope()
        # What another study runs at the moment of closing cannot be told yet, and the record says so.
        assert scope.state is not State.BREACH, scope.reasons
        assert all("still running at the end" in reason for reason in scope.reasons)
        assert [read.table for read in scope.reads] == ["gold.person"]
        assert study.seen.shared
    assert at_work.number() == 0
    assert side_doors.CLOSED not in environment


def test_closing_twice_at_once_makes_one_record(lab: Lab) -> None:
    study = lab.open()
    with study:
        study.table("gold.person", ["sex"]).collect()
        with ThreadPoolExecutor(3) as pool:
            scopes = list(pool.map(lambda _: study.scope(), range(3)))
    assert scopes[0] is scopes[1] is scopes[2]
    assert scopes[0].state is State.ACCOUNTED, scopes[0].reasons


def test_the_last_study_to_close_never_opens_the_workers_of_one_that_enters() -> None:
    class Quiet:
        def __init__(self) -> None:
            from lakehouse.governance.observers.observations import Observations

            self.seen = Observations()

    told: list[str] = []
    leaving, entering = Quiet(), Quiet()
    at_work.begin(leaving, at_work.Stage.OPEN)
    at_work.begin(entering, at_work.Stage.ENTERING)
    at_work.counting(leaving, lambda: told.append("opened"))
    assert told == []
    at_work.ended(leaving)
    at_work.counting(entering, lambda: told.append("opened"))
    at_work.ended(entering)
    assert told == ["opened"]
