"""From a verdict to the scope record: each table's entry with its rows and persons counted."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.governance.access.counting import MOST_CONDITIONS, count_reads
from lakehouse.governance.access.openings import EARLIER
from lakehouse.governance.access.person_sets import PersonSets
from lakehouse.governance.access.platform_reads import platform_at_work
from lakehouse.governance.access.row_rules import RowRules
from lakehouse.governance.plans.lineage import Role
from lakehouse.governance.scope.reconcile import ObservedTable, Verdict
from lakehouse.governance.scope.scope import Read, Scope
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyroaring import BitMap

    from lakehouse.lake import Lake

OPT_OUTS_CHANGED = (
    "The opt-out list changed while the study was open; tables opened later follow the new one."
)


@dataclass(frozen=True)
class Circumstances:
    """Who ran what when, and what was refused on the way; ``listed`` is the opt-out list at the opening."""

    study: str
    actor: str
    started: str
    ended: str
    denials: list[dict[str, str]]
    listed: bytes
    reading: str = field(default_factory=lambda: secrets.token_hex(16))


def make_scope(lake: Lake, rules: RowRules, verdict: Verdict, run: Circumstances) -> Scope:
    """The record of a run, its rows and persons counted by queries of the platform's own.

    A table that cannot be counted leaves the run unaccounted: its record would not say whose data was read.
    """
    from pyroaring import BitMap

    remarks, everybody, sets = list(verdict.remarks), BitMap(), PersonSets(lake.settings)
    commitment = ""
    with platform_at_work(), rules_of_the_whole_run(lake.settings, rules, run.listed, remarks) as counting:
        reads = [
            _entry(lake, counting, table, seen, verdict, sets, everybody)
            for table, seen in sorted(verdict.tables.items())
        ]
        if reads:
            commitment = sets.store(run.reading, everybody)
    permit = rules.permit
    remarks += [
        f"{table} was read under more than {MOST_CONDITIONS} conditions; rows and persons count all of the study's."
        for table, seen in sorted(verdict.tables.items())
        if len(seen.conditions) > MOST_CONDITIONS and all(seen.conditions)
    ]
    return Scope(
        study=run.study,
        permit={"id": permit.permit_id, "version": permit.version, "hash": permit.hash},
        actor=run.actor,
        started=run.started,
        ended=run.ended,
        state=verdict.state,
        reasons=verdict.reasons,
        reads=reads,
        denials=run.denials,
        remarks=remarks,
        versions=dict(rules.versions),
        unused=sorted(set(permit.tables) - {name.partition(EARLIER)[0] for name in verdict.tables}),
        queries=verdict.queries,
        failed_queries=verdict.failed,
        opt_outs=digest_of_list(run.listed) if rules.opted_out else "",
        reading=run.reading,
        commitment=commitment,
        reconciliation=dict(verdict.observers),
    )


def digest_of_list(listed: bytes) -> str:
    """What a record says of an opt-out list: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(listed).hexdigest()[:16]


def _entry(
    lake: Lake,
    rules: RowRules,
    table: str,
    seen: ObservedTable,
    verdict: Verdict,
    sets: PersonSets,
    everybody: BitMap,
) -> Read:
    """One table's entry, or that of an earlier version of one; the persons behind it join ``everybody``."""
    table, _, earlier = table.partition(EARLIER)
    if earlier:
        rules = rules.at(table, int(earlier))
    rows: int | None = None
    persons: int | None = None
    try:
        rows, read = count_reads(lake.spark, rules, table, seen.conditions, sets)
        if read is not None:
            everybody |= read
            persons = len(read)
    except Exception as error:
        verdict.gaps.append(f"The rows read of {table} could not be counted ({type(error).__name__}).")
    return Read(
        table=table,
        path=str(rules.paths[table].relative_to(lake.settings.home)),
        version=rules.versions[table],
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
def rules_of_the_whole_run(
    settings: Settings, rules: RowRules, listed: bytes, remarks: list[str]
) -> Iterator[RowRules]:
    """The row rules to count by: persons who opted out while the study was open were read before.

    Only those on the list both at the opening and now are left out, so the count is never too small.
    """
    now = b"" if rules.opted_out is None else rules.opted_out.read_bytes()
    if now == listed:
        yield rules
        return
    remarks.append(OPT_OUTS_CHANGED)
    settings.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=settings.scratch, suffix=".txt") as held:
        held.write(b"\n".join(sorted(set(now.split()) & set(listed.split()))) + b"\n")
        held.flush()
        yield replace(rules, opted_out=Path(held.name))
