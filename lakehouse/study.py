"""The only way to data: a permit opened for a while, tables narrowed to it, and a record of what was truly read."""

from __future__ import annotations

import getpass
import hashlib
import itertools
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lakehouse.errors import ConfigurationError, DataError, PermissionRefused, UsageError
from lakehouse.governance import openings
from lakehouse.governance.counting import count_persons, count_reads
from lakehouse.governance.file_watch import FileWatch, platform_at_work
from lakehouse.governance.lineage import Role
from lakehouse.governance.narrowing import RowRules, opted_out_file
from lakehouse.governance.observed import Observer
from lakehouse.governance.permit_model import NOT_REAL, ColumnUse, Permit, StudyDefinition
from lakehouse.governance.permits import lake_kind, load_permit, load_study
from lakehouse.governance.plan_tree import parse_plan
from lakehouse.governance.reconcile import Declared, Gated, TableSeen, Verdict, reconcile
from lakehouse.governance.scope import Read, Scope
from lakehouse.governance.sightings import plain_path
from lakehouse.governance.study_tokens import study_key_file
from lakehouse.settings import Settings
from lakehouse.tables import GOLD, table_path

if TYPE_CHECKING:
    import pyspark.pandas
    from pyspark.sql import DataFrame, SparkSession

Clock = Callable[[], date]
_open: list[Study] = []
_serials = itertools.count(1)


def open_data(
    spark: SparkSession,
    settings: Settings,
    study_id: str,
    *,
    actor: str | None = None,
    today: date | Clock | None = None,
) -> Study:
    """Open a study for reading; use as ``with open_data(...) as study:``.

    Checks at once that the permit is valid today and names the actor (default: the account running this),
    and pins the newest version of every granted table, so that the whole run sees one state of the lake.
    ``today`` serves tests of expiry. Raises :class:`PermissionRefused` or :class:`ConfigurationError`.
    """
    definition = load_study(settings, study_id)
    permit = load_permit(settings, definition.permit)
    clock = today if callable(today) else (lambda: today or date.today())
    who = actor or getpass.getuser()
    refuse_unless_open(permit, who, clock())
    if permit.legal_basis == NOT_REAL and lake_kind(settings) == "real":
        raise PermissionRefused(
            f"Permit '{permit.permit_id}' is for data of no real persons.",
            f"The lake at {settings.lake} holds real ones.",
            "Ask the data unit for a permit with a legal basis.",
        )
    return Study(spark, settings, definition, permit, who, clock)


def refuse_unless_open(permit: Permit, actor: str, day: date) -> None:
    """Refuse an expired or future permit and an actor it does not name."""
    if not permit.valid_on(day):
        state = "has expired" if day > permit.valid_to else "is not yet valid"
        raise PermissionRefused(
            f"Permit '{permit.permit_id}' {state}: it holds from {permit.valid_from} to {permit.valid_to}.",
            f"Today is {day}, and data may be read only while the permit holds.",
            f"Ask {permit.authority} for an extension, or choose a study with a valid permit.",
        )
    if not permit.names(actor):
        raise PermissionRefused(
            f"'{actor}' is not among the users of permit '{permit.permit_id}'.",
            "Only persons named in the permit may read under it.",
            f"Ask {permit.responsible} to have the name added.",
        )


class Study:
    """An open study. Everything read through it, and around it as far as one process can see, is on its record."""

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        definition: StudyDefinition,
        permit: Permit,
        actor: str,
        clock: Clock,
    ) -> None:
        self.id, self.seed = definition.id, definition.seed
        self.definition, self.permit, self.actor, self.settings = definition, permit, actor, settings
        self.versions: dict[str, int] = {}
        self._attrition: list[tuple[str, int]] | None = None
        self._spark, self._clock = spark, clock
        self._paths: dict[str, Path] = {}
        self._pin()
        self._opted_out = opted_out_file(settings.home, permit)
        self._listed = b"" if self._opted_out is None else self._opted_out.read_bytes()
        for predicate in (permit.population, definition.cohort):
            check_predicate(spark, predicate)
        self._rules = RowRules(
            permit,
            definition.cohort,
            self._paths,
            self.versions,
            partial(study_key_file, settings, definition.id),
            self._opted_out,
            lambda table: openings.issue(self.id, self._serial, table, (), platform=True),
        )
        self._serial = next(_serials)
        self._tables: set[str] = set()
        self._denials: list[dict[str, str]] = []
        self._observer = Observer(spark, clock)
        self._watch = FileWatch(settings.lake, settings.keys, self._observer.seen.opened.append)
        self._started = ""
        self._scope: Scope | None = None

    def _pin(self) -> None:
        wanted = [*self.permit.tables, "gold.person"]
        for table in dict.fromkeys(wanted):
            path = table_path(self.settings, table)
            version = newest_version(self._spark, path)
            if version is not None:
                self._paths[table], self.versions[table] = path, version
        if not self.versions:
            raise DataError(
                f"The lake at {self.settings.lake} holds none of the permit's tables.",
                "There is nothing a study could read.",
                "Run 'patternlake ingest DIR' first.",
            )

    @property
    def is_open(self) -> bool:
        """Whether tables can be asked for."""
        return self in _open

    def __enter__(self) -> Study:
        if self._started:
            raise UsageError(f"Study '{self.id}' was opened before.", "", "Call open_data again.")
        self._started = now()
        self._observer.start()
        self._watch.start()
        _open.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        refusal = self._ungranted_column(error)
        self.close()
        if refusal is not None:
            raise refusal from error

    def table(self, name: str, columns: Iterable[str] | None = None) -> DataFrame:
        """A gold table as far as the permit goes: granted columns and rows, at the pinned version.

        Without ``columns`` all columns granted for direct use are there; columns granted only for filtering
        or joining must be named, and the record shows whether they were used for nothing else. Persons
        carry pseudonyms of this study. Raises :class:`PermissionRefused` naming everything that is missing.
        """
        self._check_open()
        uses = self.permit.uses(name)
        chosen = [column for column, use in uses.items() if use is ColumnUse.DIRECT]
        wanted = list(dict.fromkeys(columns)) if columns is not None else chosen
        self.require({name: wanted or ["*"]})
        if name not in self.versions:
            raise DataError(f"The lake has no {name}.", "The permit grants it, but nothing was ingested.", "")
        self._tables.add(name)
        label = openings.issue(self.id, self._serial, name, tuple(wanted))
        with platform_at_work():
            return self._rules.narrow(self._spark, name, wanted).alias(label)

    def pandas(self, name: str, columns: Iterable[str] | None = None) -> pyspark.pandas.DataFrame[Any]:
        """The same table as a ``pyspark.pandas`` frame."""
        return self.table(name, columns).pandas_api()

    def require(self, wanted: Mapping[str, Iterable[str]]) -> None:
        """Refuse unless every table and column is granted; the refusal names all that are missing at once."""
        absent = self.permit.missing(wanted)
        if not absent:
            return
        unknown = [each for each in absent if not known(each)]
        several = len(absent) > 1
        raise self._denied(
            PermissionRefused(
                f"{', '.join(absent)} {'are' if several else 'is'} not granted to study '{self.id}'"
                + (f" ({', '.join(unknown)} does not exist either)." if unknown else "."),
                f"Permit '{self.permit.permit_id}' grants {granted_text(self.permit, wanted)}.",
                f"Leave {'them' if several else 'it'} out, or ask {self.permit.authority} to add "
                f"{'them' if several else 'it'} to the permit.",
            )
        )

    def scope(self) -> Scope:
        """The record of what was read. Asking for it closes the study: a record of an open one would be untrue."""
        if self._scope is None:
            if not self._started:
                raise UsageError(f"Study '{self.id}' was never opened.", "", "Use 'with open_data(...)'.")
            self._ungranted_column(sys.exc_info()[1])
            self.close()
        assert self._scope is not None
        return self._scope

    @property
    def attrition(self) -> list[tuple[str, int]]:
        """Persons left after each rule: in the lake, the permit's population, the study's cohort, not opted out.

        Counted when first asked for, after the study is closed.
        """
        if self._attrition is None:
            self.scope()
            with platform_at_work():
                self._attrition = count_persons(self._spark, self._rules)
        return self._attrition

    def close(self) -> None:
        """Stop reading, count what was read, and make the record; again does nothing."""
        if not self.is_open:
            return
        self._watch.stop()
        _open.remove(self)
        observed = self._observer.stop()
        openings.close(self._serial)
        verdict = reconcile(observed, Gated(self._serial, openings.register()), self._declared())
        self._scope = self._record(verdict)

    def _declared(self) -> Declared:
        return Declared(
            self.permit,
            {plain_path(str(path)): table for table, path in self._paths.items()},
            self.versions,
            plain_path(str(self.settings.lake)),
            (plain_path(str(self.settings.keys)),),
            () if self._opted_out is None else (plain_path(str(self._opted_out)),),
        )

    def _record(self, verdict: Verdict) -> Scope:
        remarks = verdict.remarks
        with platform_at_work(), self._rules_of_the_whole_run(remarks) as rules:
            reads = [
                self._read(rules, table, seen, verdict) for table, seen in sorted(verdict.tables.items())
            ]
        return Scope(
            study=self.id,
            permit={
                "id": self.permit.permit_id,
                "version": self.permit.version,
                "hash": self.permit.hash,
            },
            actor=self.actor,
            started=self._started,
            ended=now(),
            state=verdict.state,
            reasons=verdict.reasons,
            reads=reads,
            denials=self._denials,
            remarks=remarks,
            versions=dict(self.versions),
            unused=sorted(set(self.permit.tables) - set(verdict.tables)),
            queries=verdict.queries,
            failed_queries=verdict.failed,
            opt_outs="" if self._opted_out is None else hashlib.sha256(self._listed).hexdigest()[:16],
        )

    def _read(self, rules: RowRules, table: str, seen: TableSeen, verdict: Verdict) -> Read:
        """One table's entry, with its rows and persons counted."""
        rows: int | None = None
        persons: int | None = None
        try:
            rows, persons = count_reads(self._spark, rules, table, seen.conditions)
        except Exception as error:
            verdict.gaps.append(f"The rows read of {table} could not be counted ({type(error).__name__}).")
        return Read(
            table=table,
            path=str(self._paths[table].relative_to(self.settings.home)),
            version=self.versions[table],
            columns_direct=seen.used(Role.DIRECT),
            columns_filter=seen.used(Role.FILTER),
            columns_join=seen.used(Role.JOIN),
            columns_read=sorted(seen.columns),
            predicates=seen.predicates,
            rows=rows,
            persons=persons,
            queries=seen.queries,
        )

    @contextmanager
    def _rules_of_the_whole_run(self, remarks: list[str]) -> Iterator[RowRules]:
        """The row rules to count by: persons who opted out while the study was open were read before.

        Only those on the list both at the opening and now are left out, so the count is never too small.
        """
        listed = b"" if self._opted_out is None else self._opted_out.read_bytes()
        if listed == self._listed:
            yield self._rules
            return
        remarks.append(
            "The opt-out list changed while the study was open; tables opened later follow the new one."
        )
        both = set(listed.split()) & set(self._listed.split())
        self.settings.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.settings.scratch, suffix=".txt") as held:
            held.write(b"\n".join(sorted(both)) + b"\n")
            held.flush()
            yield replace(self._rules, opted_out=Path(held.name))

    def _check_open(self) -> None:
        if not self.is_open:
            raise self._denied(
                PermissionRefused(
                    f"Study '{self.id}' is closed.",
                    "Outside its block nothing is recorded, so nothing may be read.",
                    "Ask for tables inside 'with open_data(...) as study:'.",
                )
            )
        try:
            refuse_unless_open(self.permit, self.actor, self._clock())
        except PermissionRefused as refusal:
            raise self._denied(refusal) from None

    def _denied(self, refusal: PermissionRefused) -> PermissionRefused:
        """Put a refusal on the record, as long as there is one to put it on."""
        if self._scope is None:
            self._denials.append({"what": refusal.what, "at": now()})
        return refusal

    def _ungranted_column(self, error: BaseException | None) -> PermissionRefused | None:
        """The refusal behind Spark's 'no such column', when the column exists and is merely not granted."""
        name = unresolved_column(error)
        if name is None:
            return None
        holders = [table for table in sorted(self._tables) if name in GOLD[table].column_names]
        absent = [f"{table}.{name}" for table in holders if name not in self.permit.uses(table)]
        if absent:
            what = f"{', '.join(absent)} exists, but is not granted to study '{self.id}'."
            step = f"Leave it out, or ask {self.permit.authority} to add it to the permit."
        elif narrow := [table for table in holders if self.permit.uses(table)[name] is not ColumnUse.DIRECT]:
            use = self.permit.uses(narrow[0])[name].replace("_", " ")
            what = f"{narrow[0]}.{name} is granted {use}, so it is not on the table unless it is named."
            step = f'Use study.table("{narrow[0]}", columns=[..., "{name}"]) and use it {use}.'
        else:
            return None
        refusal = PermissionRefused(
            what, f"Permit '{self.permit.permit_id}' decides which columns are there.", step
        )
        return self._denied(refusal)


def newest_version(spark: SparkSession, path: Path) -> int | None:
    """Newest version of a Delta table, without a query; ``None`` when there is no table."""
    jvm: Any = spark.sparkContext._jvm
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, str(path))
    version = int(
        log.update(False, getattr(log, "update$default$2")(), getattr(log, "update$default$3")()).version()
    )
    return version if version >= 0 else None


def unresolved_column(error: BaseException | None) -> str | None:
    """Last part of the name Spark could not resolve, if that is what the error says."""
    condition = getattr(error, "getCondition", lambda: None)()
    if error is None or not str(condition or "").startswith(("UNRESOLVED_COLUMN", "MISSING_ATTRIBUTES")):
        return None
    parameters: dict[str, Any] = error.getMessageParameters() or {}  # type: ignore[attr-defined]
    parts = re.findall(r"`([^`]+)`", str(parameters.get("objectName", "")))
    return parts[-1] if parts else None


def known(name: str) -> bool:
    """Whether ``layer.table`` or ``layer.table.column`` exists in the model of the lake."""
    table = ".".join(name.split(".")[:2])
    column = ".".join(name.split(".")[2:])
    return table in GOLD and (not column or column in (*GOLD[table].column_names, "*"))


def granted_text(permit: Permit, wanted: Iterable[str]) -> str:
    """What the permit does grant of the tables asked for, in words."""
    parts = []
    for table in wanted:
        uses = permit.uses(table)
        parts.append(f"{table} ({', '.join(uses)})" if uses else f"nothing of {table}")
    return "; ".join(parts)


def check_predicate(spark: SparkSession, predicate: str) -> None:
    """Refuse a population or cohort that is more than one condition on the columns of ``gold.person``."""
    if predicate.strip().lower() == "all":
        return
    try:
        parser = spark._jsparkSession.sessionState().sqlParser()
        parsed = parse_plan(parser.parseExpression(predicate).toJSON())
    except Exception as error:
        raise ConfigurationError(
            f"'{predicate}' is no SQL condition.",
            "It decides whose data a study may see, so it is never guessed.",
            "Correct population in the permit or cohort in the study.",
        ) from error
    if any(node.is_plan or "Subquery" in node.name or node.name == "Exists" for node in parsed.walk()):
        raise ConfigurationError(
            f"'{predicate}' looks into other tables.",
            "A population or cohort is one condition on the columns of gold.person.",
            "Write it without SELECT.",
        )


def now() -> str:
    """This moment, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
