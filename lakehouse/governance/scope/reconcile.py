"""Cross-check: what Spark was seen to read, against what the study handed out, against what the permit declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lakehouse.governance.access.openings import Opening
from lakehouse.governance.observers.observations import Leaf, Observations, ObservedQuery, UnexplainedWork
from lakehouse.governance.permits.model import ColumnUse, Permit
from lakehouse.governance.plans.lineage import Role, StudyTableUse, identity_of
from lakehouse.governance.plans.predicates import without_tokens
from lakehouse.governance.plans.text import HARMLESS_SOURCES, below
from lakehouse.governance.scope.scope import ALL_ROWS, State

CHANGE_FEED = "CDF"
MOST_SHOWN = 50
NEVER_RUN = ("AddJar", "AddFile", "AddArchive", "CreateFunction", "CreateUserDefinedFunction")
"""Commands no study needs."""
CURE = "Before df.rdd, toLocalIterator, foreach or Spark ML call localCheckpoint() on the frame: then it is known."
ALLOWED = {
    ColumnUse.DIRECT: frozenset(Role),
    ColumnUse.FILTER_ONLY: frozenset({Role.FILTER}),
    ColumnUse.JOIN_ONLY: frozenset({Role.JOIN}),
}


@dataclass(frozen=True)
class PermittedReads:
    """What the permit allows, with the places it stands for.

    ``paths`` gives the table of each pinned folder; ``lists`` are files the row rules themselves read;
    ``lake`` and ``closed`` are folders nothing else may be read from; ``own`` gives the columns of each table that
    the row rules read for themselves; ``narrowed`` says that they leave rows out.
    """

    permit: Permit
    paths: Mapping[str, str]
    versions: Mapping[str, int]
    lake: str
    closed: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    own: Mapping[str, frozenset[str]] = field(default_factory=dict)
    narrowed: bool = False


@dataclass(frozen=True)
class OpenedTables:
    """What was handed out: the study's serial number, and every opening of this process by its nonce."""

    serial: int
    openings: Mapping[str, Opening]

    def own(self, nonce: str) -> bool:
        """Whether this study made the opening, or nobody did."""
        opening = self.openings.get(nonce)
        return opening is None or (opening.serial == self.serial and not opening.platform)


@dataclass
class ObservedTable:
    """All observed reads of one study table: roles by column, columns off the disk, conditions by query."""

    roles: dict[str, set[Role]] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    conditions: set[tuple[str, ...]] = field(default_factory=set)
    queries: int = 0

    def used(self, role: Role) -> list[str]:
        """Columns used in a role."""
        return sorted(name for name, roles in self.roles.items() if role in roles)

    @property
    def predicates(self) -> list[str]:
        """Each distinct condition as text fit for people; past ``MOST_SHOWN`` only how many more there were."""
        texts = sorted(
            {without_tokens(" AND ".join(parts)) if parts else ALL_ROWS for parts in self.conditions}
        )
        more = len(texts) - MOST_SHOWN
        return [*texts[:MOST_SHOWN], f"and {more} further conditions"] if more > 0 else texts


@dataclass
class Verdict:
    """Outcome of a reconciliation."""

    breaches: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    tables: dict[str, ObservedTable] = field(default_factory=dict)
    queries: int = 0
    failed: int = 0
    observers: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """A breach outweighs a gap; neither means accounted."""
        if self.breaches:
            return State.BREACH
        return State.UNACCOUNTED if self.gaps else State.ACCOUNTED

    @property
    def reasons(self) -> list[str]:
        """Why the state is not ``accounted``, each reason once."""
        return list(dict.fromkeys([*self.breaches, *self.gaps]))


def reconcile(observed: Observations, opened: OpenedTables, declared: PermittedReads) -> Verdict:
    """Hold what was observed against what the study opened and the permit declares.

    What was observed must lie within what was opened, and that within what is declared. What lies outside and is
    known is a breach; what cannot be known is a gap, which makes the run unaccounted. Data from outside the lake is a
    remark.
    """
    verdict = Verdict()
    for query in observed.queries:
        _query(query, opened, declared, verdict)
    for run in observed.runs:
        _run(run, declared, verdict)
    verdict.breaches += [f"{opening}, past the study." for opening in dict.fromkeys(observed.opened)]
    verdict.gaps += [f"The recorder missed something: {fault}." for fault in dict.fromkeys(observed.faults)]
    verdict.gaps += [f"It cannot be told what was read: {doubt}." for doubt in dict.fromkeys(observed.doubts)]
    verdict.remarks = list(dict.fromkeys(verdict.remarks))
    return verdict


def judge_plan(query: ObservedQuery, opened: OpenedTables, declared: PermittedReads) -> list[str]:
    """Breaches that a planned query would commit: the same judgement as afterwards, before anything is read."""
    verdict = Verdict()
    _query(query, opened, declared, verdict)
    return verdict.reasons if verdict.breaches else []


def _query(query: ObservedQuery, opened: OpenedTables, declared: PermittedReads, verdict: Verdict) -> None:
    foreign = [opened.openings[used.nonce] for used in query.use.study_tables if not opened.own(used.nonce)]
    stale = {f"{each.table} of study '{each.study}'" for each in foreign if not each.open_at(query.at)}
    verdict.breaches += [f"{each} was read after that study was closed." for each in sorted(stale)]
    if foreign and len(foreign) == len(query.use.study_tables) and not query.use.outside:
        return
    verdict.queries += 1
    verdict.failed += query.failed
    if query.failed and declared.narrowed and any(opened.own(used.nonce) for used in query.use.study_tables):
        verdict.gaps.append(
            "A query over narrowed rows failed, and its error may name a row the study may not see."
        )
    if query.fault:
        verdict.gaps.append(f"A query ({query.action}) is only half known: {query.fault}.")
    if foreign:
        verdict.breaches.append("A query joined this study's data with another study's.")
    if query.use.file_names and query.use.study_tables:
        verdict.breaches.append("The names of the lake's files were read (input_file_name).")
    if query.use.scripts:
        verdict.breaches.append("Rows were given to a program (TRANSFORM), which may read anything.")
    if query.use.reflection:
        verdict.breaches.append("A Java method was called from SQL (reflect), which may read anything.")
    for used in query.use.study_tables:
        if opened.own(used.nonce):
            _study_table(used, query, opened, declared, verdict)
    for node in query.use.outside:
        output = node.trees("output") or node.trees("outputObjAttr")
        leaf = query.leaves.get(identity_of(output[0]) if output else -1) or Leaf(node.name)
        _outside(leaf, declared, verdict)
    _scans(query, opened, declared, verdict)
    _command(query, declared, verdict)
    for target in query.writes:
        if any(below(target, root) for root in (declared.lake, *declared.closed)):
            verdict.breaches.append(f"A query wrote to {target}, which only the ingest may.")


def _study_table(
    used: StudyTableUse,
    query: ObservedQuery,
    opened: OpenedTables,
    declared: PermittedReads,
    verdict: Verdict,
) -> None:
    opening = opened.openings.get(used.nonce)
    if opening is None or opening.table != used.table:
        verdict.breaches.append(f"A query claims an opening of {used.table} that the study did not make.")
        return
    for column in sorted(set(used.columns) - set(opening.columns)):
        verdict.breaches.append(f"{used.table}.{column} was taken though it was not handed out.")
    if not opening.open_at(query.at):
        verdict.breaches.append(f"{used.table} was read after the study was closed.")
    for identity in used.leaves:
        leaf = query.leaves.get(identity)
        if leaf is None or leaf.path is None:
            verdict.gaps.append(f"A source under {used.table} could not be identified.")
        elif leaf.path not in declared.lists and not _pinned(leaf, opening, declared):
            verdict.breaches.append(f"{described(leaf)} was read under the name of {used.table}.")
    if not declared.permit.valid_on(query.on):
        verdict.breaches.append(
            f"{used.table} was read on {query.on}, outside the permit's {declared.permit.valid_from} to "
            f"{declared.permit.valid_to}."
        )
    _uses(used, opening.reading, declared, verdict)


def _uses(used: StudyTableUse, reading: str, declared: PermittedReads, verdict: Verdict) -> None:
    """Add one use of a table to the record; a column used beyond its grant is a breach."""
    seen = verdict.tables.setdefault(reading, ObservedTable())
    seen.queries += 1
    seen.conditions.add(tuple(sorted(set(used.conditions))))
    uses = declared.permit.uses(used.table)
    for column, roles in used.roles.items():
        seen.roles.setdefault(column, set()).update(roles)
        beyond = roles - ALLOWED[uses[column]] if column in uses else roles
        if beyond:
            how = " and ".join(sorted(beyond))
            allowed = uses[column].replace("_", " ") if column in uses else "not at all"
            verdict.breaches.append(f"{used.table}.{column} was used {how}, but is granted {allowed}.")


def _pinned(leaf: Leaf, opening: Opening, declared: PermittedReads) -> bool:
    """Whether a source under a study table is what the table is made of: its own table, or the permitted persons."""
    table = declared.paths.get(leaf.path or "")
    if table == opening.table and opening.version is not None:
        return leaf.version == opening.version
    return table in (opening.table, "gold.person") and declared.versions.get(table or "") == leaf.version


def _outside(leaf: Leaf, declared: PermittedReads, verdict: Verdict) -> None:
    """Judge a source that no opening of the study stands over."""
    if leaf.kind in (*HARMLESS_SOURCES, "RDD", "DeltaLog", "DeltaLogFileIndex"):
        return
    if leaf.kind == "FileRDD":
        verdict.gaps.append(f"Rows came from an RDD that reads files, whose columns nobody can tell. {CURE}")
        return
    if leaf.path is not None:
        for path in (leaf.path, *leaf.more):
            if _forbidden(path, declared):
                told = described(replace(leaf, path=path), declared)
                verdict.breaches.append(f"{told} was read past the study.")
            else:
                verdict.remarks.append(f"Data from outside the lake was read: {path}.")
    elif CHANGE_FEED in leaf.name or CHANGE_FEED in leaf.kind:
        verdict.breaches.append("The change feed of a table was read past the study.")
    elif not leaf.kind.endswith("Command") and not leaf.kind.startswith("Resolved"):
        verdict.gaps.append(
            f"A source of an unknown kind was read: {leaf.kind} {leaf.name[:120]}.".replace(" .", ".")
        )


def _scans(query: ObservedQuery, opened: OpenedTables, declared: PermittedReads, verdict: Verdict) -> None:
    """What was executed must be what was planned."""
    planned = {leaf.path for leaf in query.leaves.values()} | set(declared.lists)
    tables = {used.table for used in query.use.study_tables}
    for scan in query.scans:
        for path in scan.paths:
            table = declared.paths.get(path)
            readings = {
                opened.openings[used.nonce].reading
                for used in query.use.study_tables
                if used.table == table and used.nonce in opened.openings
            } & verdict.tables.keys()
            if table in tables and readings:
                for reading in readings:
                    verdict.tables[reading].columns.update(scan.columns)
            elif path not in planned and _forbidden(path, declared):
                verdict.breaches.append(f"{path} was scanned though no source of the query names it.")


def _command(query: ObservedQuery, declared: PermittedReads, verdict: Verdict) -> None:
    """A command that names the lake's folders works on tables themselves; a clone hides which it copied."""
    name = query.command.split(maxsplit=1)[0] if query.command else ""
    if name.startswith(NEVER_RUN):
        verdict.breaches.append(f"{name} was run: it brings code or files into Spark that no plan shows.")
    root = next((root for root in (declared.lake, *declared.closed) if f"{root}/" in query.command), None)
    if root is not None:
        place = re.search(re.escape(root) + r"[\w/.=-]*", query.command)
        verdict.breaches.append(f"{name} was run on {place[0] if place else root}, past the study.")
    elif "CloneTableCommand" in query.command:
        verdict.gaps.append("A table was cloned, and its plan does not say which.")


def _run(run: UnexplainedWork, declared: PermittedReads, verdict: Verdict) -> None:
    outside = [path for path in run.paths if _forbidden(path, declared) and path not in declared.paths]
    if outside:
        verdict.breaches.append(f"{_listed(outside)} was read by {run.what}.")
        return
    inside = [declared.paths[path] for path in run.paths if path in declared.paths]
    if run.paths and not inside:
        verdict.remarks.append(f"Data from outside the lake was read by {run.what}: {_listed(run.paths)}.")
        return
    over = f" over {_listed(inside)}" if inside else ""
    verdict.gaps.append(
        f"What {run.what}{over} read cannot be told from a plan (df.rdd, toLocalIterator, RDDs)."
    )


def _forbidden(path: str, declared: PermittedReads) -> bool:
    return any(below(path, root) for root in (declared.lake, *declared.closed))


def described(leaf: Leaf, declared: PermittedReads | None = None) -> str:
    """A source in words: its path, its version, and how that differs from the pinned one."""
    text = str(leaf.path)
    if leaf.version is not None:
        text += f" version {leaf.version}"
        table = declared.paths.get(leaf.path or "") if declared else None
        if declared and table and declared.versions.get(table) != leaf.version:
            text += f" (the study is pinned to {declared.versions.get(table)})"
    return text


def _listed(paths: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(paths))
