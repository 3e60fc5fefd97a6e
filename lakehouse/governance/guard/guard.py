"""The guard of an open study: refuses before an action what reaches past it, and watches the ways no plan shows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lakehouse.errors import PermissionRefused, ScopeBreach
from lakehouse.governance.access.platform_reads import is_platform_at_work
from lakehouse.governance.guard import plan_check
from lakehouse.governance.guard.file_watch import FileWatch
from lakehouse.governance.guard.guarded_state import GuardedState
from lakehouse.governance.guard.side_doors import refuse
from lakehouse.governance.scope.reconcile import judge_plan
from lakehouse.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.governance.guard.guarded_study import GuardedStudy
    from lakehouse.governance.observers.observations import ObservedQuery
    from lakehouse.governance.observers.observer import Observer


class Guard:
    """Stands between a study and Spark from :meth:`start` to :meth:`stop`; what it sees goes to the observer."""

    def __init__(self, study: GuardedStudy, observer: Observer) -> None:
        self._study, self._observer = study, observer
        settings, seen = study.settings, observer.seen
        self._watch = FileWatch(
            settings.lake, settings.keys, seen.opened.append, self.of_another_study, seen.doubts.append
        )
        self._lists: dict[str, str] = {}
        self._state: GuardedState | None = None

    def start(self, spark: SparkSession) -> None:
        """Begin to watch files, side doors and actions."""
        self._watch.start()
        self._state = GuardedState(Lake(spark, self._study.settings), self._study.rules)
        self._state.close_doors(self.side_door)
        plan_check.start(self.gate)

    def stop(self) -> None:
        """Stop watching; what changed meanwhile and must not is added to what was seen.

        Where Spark has died it cannot be asked, and the run is unaccounted.
        """
        self._watch.stop()
        plan_check.stop(self.gate)
        if self._state is None:
            return
        self._state.open_doors()
        try:
            self._observer.seen.doubts += self._state.doubts()
            self._observer.seen.opened += self._state.swapped()
        except Exception as error:
            self._observer.seen.faults.append(f"Spark could not be asked at the end ({type(error).__name__})")

    def handed_out(self, nonce: str) -> None:
        """Note under which opt-out list a table was handed out."""
        self._lists[nonce] = self._study.rules.list_digest()

    def gate(self, frame: DataFrame) -> None:
        """Refuse an action whose plan reaches past the study, before Spark reads for it."""
        if is_platform_at_work():
            return
        self.check_recorder()
        try:
            query = self._observer.planned(frame)
        except Exception as error:
            fault = f"a plan could not be read: {type(error).__name__}: {error}"
            self._observer.seen.faults.append(fault[:300])
            self.check_recorder()
            raise
        if query is None:
            return
        self._check_lists(query)
        if reasons := judge_plan(query, self._study.opened_tables(), self._study.declared()):
            raise self._study.denied(
                PermissionRefused(
                    " ".join(dict.fromkeys(reasons)),
                    f"Permit '{self._study.permit.permit_id}' does not cover it, so nothing was read.",
                    "Use study.table(...) and what the permit grants, or ask for more.",
                )
            )

    def check_recorder(self) -> None:
        """Stop as soon as the recorder has missed something: what is not recorded may not be read.

        Raises :class:`ScopeBreach` then.
        """
        if faults := self._observer.seen.faults:
            raise ScopeBreach(
                f"The recorder failed: {faults[0]}.",
                "What cannot be recorded may not be read.",
                "Report it; the run is unaccounted.",
            )

    def side_door(self, what: str) -> None:
        """Report and refuse a way to data that no plan shows, while the study is open."""
        if self._study.is_open and not is_platform_at_work():
            self._observer.seen.opened.append(what)
            raise self._study.denied(refuse(what))

    def of_another_study(self, path: str) -> bool:
        """Whether a file is a result or artefact of another study: no channel for data between studies."""
        for root in (self._study.settings.results, self._study.settings.artifacts):
            inside = path.removeprefix(f"{root}{os.sep}")
            if inside != path:
                top = inside.partition(os.sep)[0]
                return top != self._study.id and not top.endswith(f"_{self._study.id}")
        return False

    def _check_lists(self, query: ObservedQuery) -> None:
        """Refuse rows handed out under an opt-out list that has changed since: it holds at the time of action."""
        current = self._study.rules.list_digest()
        stale = [
            used.table for used in query.use.study_tables if self._lists.get(used.nonce, current) != current
        ]
        if stale:
            raise self._study.denied(
                PermissionRefused(
                    f"{', '.join(stale)} was opened before the opt-out list changed.",
                    "Persons who have opted out since would be in it.",
                    "Ask for the table again with study.table(...).",
                )
            )
