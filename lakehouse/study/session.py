"""The only way to data: a permit opened for a while, tables narrowed to it, and a record of what was truly read."""

from __future__ import annotations

import getpass
import itertools
import secrets
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from lakehouse.definitions import Definition, load
from lakehouse.errors import DataError, PermissionRefused, UsageError
from lakehouse.governance.access import openings
from lakehouse.governance.access.counting import count_persons
from lakehouse.governance.access.platform_reads import platform_at_work
from lakehouse.governance.access.row_rules import is_extract, row_rules
from lakehouse.governance.approvals.definition_signatures import require_signed
from lakehouse.governance.guard.guard import Guard
from lakehouse.governance.guard.side_doors import open_workers
from lakehouse.governance.observers.observer import Observer
from lakehouse.governance.permits.files import lake_kind, load_permit
from lakehouse.governance.permits.model import NOT_REAL, ColumnUse, Permit
from lakehouse.governance.permits.refusals import (
    closed_refusal,
    refusal_for,
    refuse_unless_open,
    ungranted_column,
)
from lakehouse.governance.permits.signatures import require_signature
from lakehouse.governance.permits.study_definition import StudyDefinition
from lakehouse.governance.plans.text import plain_path
from lakehouse.governance.scope.cross_check import hold_log
from lakehouse.governance.scope.reconcile import OpenedTables, PermittedReads, reconcile
from lakehouse.governance.scope.record import Circumstances, digest_of_list, make_scope
from lakehouse.governance.scope.scope import Scope
from lakehouse.lake import Lake
from lakehouse.settings import Settings
from lakehouse.study import at_work

if TYPE_CHECKING:
    import pyspark.pandas
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.governance.observers.observations import Observations

Clock = Callable[[], date]
F = TypeVar("F")
_serials = itertools.count(1)


def open_data(
    spark: SparkSession,
    settings: Settings,
    study_id: str,
    *,
    actor: str | None = None,
    today: date | Clock | None = None,
    versions: Mapping[str, int] | None = None,
) -> Study:
    """Open a study for reading; use as ``with open_data(...) as study:``.

    Checks at once that the permit is valid today and names the actor (default: the account running this),
    and pins the newest version of every granted table, so that the whole run sees one state of the lake.
    ``today`` serves tests of expiry; ``versions`` pins tables to earlier versions, to repeat a run. Raises
    :class:`PermissionRefused` or :class:`ConfigurationError`.
    """
    definition = load(settings, StudyDefinition, study_id)
    permit = load_permit(settings, definition.content.permit)
    clock = today if callable(today) else (lambda: today or date.today())
    who = actor or getpass.getuser()
    refuse_unless_open(permit, who, clock())
    real = lake_kind(settings) == "real"
    if is_extract(settings):
        real = False
    elif permit.legal_basis == NOT_REAL and real:
        raise PermissionRefused(
            f"Permit '{permit.permit_id}' is for data of no real persons.",
            f"The lake at {settings.lake} holds real ones.",
            "Ask the data unit for a permit with a legal basis.",
        )
    if real:
        require_signature(settings, permit, settings.definition("permits", permit.permit_id))
    with platform_at_work():
        return Study(spark, settings, definition, permit, who, clock, versions or {})


class Study:
    """An open study. Everything read through it, and around it as far as one process can see, is on its record.

    ``versions`` gives the pinned version of each table, ``seed`` the study's random seed, ``permit`` and
    ``definition`` what it was opened under; ``rules`` narrow its tables, ``reading`` names this opening;
    ``definitions`` gives the hash of every definition the run uses, by name (``studies/demo@1``).
    """

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        defined: Definition[StudyDefinition],
        permit: Permit,
        actor: str,
        clock: Clock,
        versions: Mapping[str, int],
    ) -> None:
        definition, self.definitions = defined.content, defined.hashes
        self.id, self.seed = definition.id, definition.seed
        self.definition, self.permit, self.actor, self.settings = definition, permit, actor, settings
        self._spark, self._clock = spark, clock
        self._serial = next(_serials)
        self.rules = row_rules(
            spark,
            settings,
            definition,
            permit,
            versions,
            lambda table: openings.issue(self.id, self._serial, table, (), platform=True),
            clock,
        )
        self.versions = self.rules.versions
        self._listed = b"" if self.rules.opted_out is None else self.rules.opted_out.read_bytes()
        self.reading = secrets.token_hex(16)
        self._observer = Observer(spark, clock, settings.home / "observer" / self.reading)
        self._guard = Guard(self, self._observer)
        self._tables: set[str] = set()
        self._denials: list[dict[str, str]] = []
        self._attrition: list[tuple[str, int]] | None = None
        self._started = ""
        self._scope: Scope | None = None
        self._changing = threading.RLock()

    @property
    def opt_outs(self) -> str:
        """Digest of the opt-out list at the opening, empty when there is none."""
        return digest_of_list(self._listed) if self.rules.opted_out else ""

    @property
    def is_open(self) -> bool:
        """Whether tables can be asked for."""
        return at_work.is_open(self)

    @property
    def seen(self) -> Observations:
        """What was seen of this opening so far."""
        return self._observer.seen

    def __enter__(self) -> Study:
        with self._changing:
            if self._started:
                raise UsageError(f"Study '{self.id}' was opened before.", "", "Call open_data again.")
            self._started = now()
            openings.begin(self._serial)
            at_work.begin(self, at_work.Stage.ENTERING)
            try:
                with platform_at_work():
                    self._observer.start()
                    self._guard.start(self._spark)
            except BaseException:
                self._stop_watching()
                self._end()
                raise
            at_work.opened(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        refusal = self._refusal_behind(error)
        self.close()
        if refusal is not None:
            raise refusal from error

    def table(
        self, name: str, columns: Iterable[str] | None = None, *, version: int | None = None
    ) -> DataFrame:
        """A gold table as far as the permit goes: granted columns and rows, at the pinned version.

        Without ``columns`` all columns granted for direct use are there; columns granted only for filtering
        or joining must be named, and the record shows whether they were used for nothing else. Persons
        carry pseudonyms of this study. ``version`` asks for an earlier one than the pinned, narrowed by the rules of
        today, which the record names beside it. Raises :class:`PermissionRefused` naming everything that is missing,
        :class:`UsageError` where no column is left or the version is no earlier one, :class:`DataError` where the lake has
        no such table.
        """
        self._check_open()
        uses = self.permit.uses(name)
        direct = [column for column, use in uses.items() if use is ColumnUse.DIRECT]
        wanted = direct if columns is None else list(dict.fromkeys(columns))
        self.require({name: wanted})
        if not wanted:
            raise UsageError(
                f"No column of {name} was named.",
                "None is granted for direct use.",
                "Name the columns to use.",
            )
        if name not in self.versions:
            raise DataError(f"The lake has no {name}.", "The permit grants it, but nothing was ingested.", "")
        earlier = version is not None and version != self.versions[name]
        if earlier and not 0 < (version or 0) < self.versions[name]:
            raise UsageError(
                f"{name} has no earlier version {version}.",
                f"The study is pinned to {self.versions[name]}.",
                "Ask for a smaller number from 1.",
            )
        self._tables.add(name)
        label = openings.issue(
            self.id, self._serial, name, tuple(wanted), version=version if earlier else None
        )
        self._guard.handed_out(label.rpartition("#")[2])
        with platform_at_work():
            rules = self.rules.at(name, version) if earlier and version else self.rules
            return rules.narrow(self._spark, name, wanted).alias(label)

    def pandas(self, name: str, columns: Iterable[str] | None = None) -> pyspark.pandas.DataFrame[Any]:
        """The same table as a ``pyspark.pandas`` frame."""
        return self.table(name, columns).pandas_api()

    def require(self, wanted: Mapping[str, Iterable[str]]) -> None:
        """Refuse unless every table and column is granted; the refusal names all that are missing at once."""
        refusal = refusal_for(self.permit, self.id, wanted)
        if refusal is not None:
            raise self.denied(refusal)

    def use(self, family: type[F], id: str) -> Definition[F]:
        """A definition of any family for this run: checked, signed where it must be, its hash on the run's record.

        Raises :class:`ConfigurationError` for a faulty file, :class:`PermissionRefused` for one of a signed family that
        lacks signatures while persons are real.
        """
        with platform_at_work():
            made = load(self.settings, family, id)
            real = lake_kind(self.settings) == "real" and not is_extract(self.settings)
            require_signed(self.settings, made, real=real)
        self.definitions |= made.hashes
        return made

    def scope(self) -> Scope:
        """The record of what was read. Asking for it closes the study: a record of an open one would be untrue.

        Raises :class:`UsageError` for a study that was never opened.
        """
        if not self._started:
            raise UsageError(f"Study '{self.id}' was never opened.", "", "Use 'with open_data(...)'.")
        if self._scope is None:
            self._refusal_behind(sys.exc_info()[1])
            self.close()
        assert self._scope is not None
        return self._scope

    @property
    def attrition(self) -> list[tuple[str, int]]:
        """Persons left after each rule: in the lake, the permit's population, the study's cohort, not opted out.

        Counted when first asked for; that closes the study, as the counting is not the job's own reading.
        """
        if self._attrition is None:
            self.scope()
            at_work.begin(self, at_work.Stage.COUNTING)
            try:
                with platform_at_work():
                    self._attrition = count_persons(self._spark, self.rules)
            finally:
                self._end()
        return self._attrition

    def close(self) -> None:
        """Stop reading, count what was read, and make the record; again does nothing, but waits for it."""
        with self._changing:
            if not self.is_open:
                return
            try:
                observed = self._stop_watching()
                openings.close(self._serial)
                verdict = reconcile(observed, self.opened_tables(), self.declared())
                hold_log(observed, self.declared(), verdict)
                run = Circumstances(
                    self.id, self.actor, self._started, now(), self._denials, self._listed, self.reading
                )
                self._scope = make_scope(Lake(self._spark, self.settings), self.rules, verdict, run)
            finally:
                self._end()

    def _stop_watching(self) -> Observations:
        """Take guard and observer away; what was seen. Workers are closed as long as any study is guarded."""
        self._guard.stop()
        at_work.counting(self, lambda: open_workers(self._spark))
        return self._observer.stop()

    def _end(self) -> None:
        """Strike this study off the registers of the process."""
        at_work.ended(self)
        openings.end(self._serial)

    def opened_tables(self) -> OpenedTables:
        """What was handed out so far."""
        return OpenedTables(self._serial, openings.register())

    def declared(self) -> PermittedReads:
        """What the permit allows, with the places it stands for."""
        opted_out = self.rules.opted_out
        return PermittedReads(
            self.permit,
            {plain_path(str(path)): table for table, path in self.rules.paths.items()},
            self.versions,
            plain_path(str(self.settings.lake)),
            (plain_path(str(self.settings.keys)),),
            () if opted_out is None else (plain_path(str(opted_out)),),
            {table: self.rules.own_columns(table) for table in self.rules.paths},
            not self.rules.everyone or any(self.rules.rows_of(table) for table in self.permit.tables),
        )

    def _check_open(self) -> None:
        if not self.is_open:
            raise self.denied(closed_refusal(self.id))
        self._guard.check_recorder()
        try:
            refuse_unless_open(self.permit, self.actor, self._clock())
        except PermissionRefused as refusal:
            raise self.denied(refusal) from None

    def _refusal_behind(self, error: BaseException | None) -> PermissionRefused | None:
        refusal = ungranted_column(self.permit, self.id, self._tables, error)
        return None if refusal is None else self.denied(refusal)

    def denied(self, refusal: PermissionRefused) -> PermissionRefused:
        """Put a refusal on the record, as long as there is one to put it on."""
        if self._scope is None:
            missing = getattr(refusal, "missing", ())
            self._denials.append({"what": refusal.what, "at": now(), "missing": ", ".join(missing)})
        return refusal


def now() -> str:
    """This moment, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
