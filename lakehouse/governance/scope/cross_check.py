"""Holds the event log against the record made from plans: what one observer saw must be covered by the other."""

from __future__ import annotations

from lakehouse.governance.access.openings import EARLIER
from lakehouse.governance.observers.event_log import EventLogReads, EventLogScan, columns_by_table
from lakehouse.governance.observers.observations import Observations
from lakehouse.governance.plans.text import below
from lakehouse.governance.scope.reconcile import PermittedReads, Verdict

INTERNAL = ("__delta_internal", "_tmp_metadata", "_metadata")
"""Beginnings of columns that Spark and Delta add for themselves."""

COARSE = 100
"""Rows that left the reader are told in steps of this, so that nobody is counted by them."""


def hold_log(observed: Observations, declared: PermittedReads, verdict: Verdict) -> None:
    """Add to a verdict what the event log shows and the plans do not.

    A file of the lake that permit and row rules do not cover, or a column beyond them, is a breach; a granted table
    that no recorded query reads, or a file-reading job the recorder did not report, is a gap. With another study open
    in the same process the log cannot be told apart by study, which is a remark: the plans can.
    """
    logged = observed.logged
    if logged is None:
        verdict.gaps.append("Spark's event log of the reading is missing.")
        return
    verdict.observers = summary(logged, declared, verdict)
    if observed.shared:
        verdict.remarks.append(
            "Another study was open in this process; the event log holds both and was not reconciled."
        )
        return
    for scan in logged.scans:
        _place(scan, declared, verdict)
    for table, columns in columns_by_table(logged.scans, dict(declared.paths)).items():
        allowed = {*declared.permit.uses(table), *declared.own.get(table, ())}
        beyond = sorted(name for name in columns - allowed if not name.startswith(INTERNAL))
        if beyond:
            verdict.breaches.append(f"{', '.join(beyond)} of {table} left the disk beyond the permit.")
    if len(logged.loose_jobs) > len(observed.runs):
        more = len(logged.loose_jobs) - len(observed.runs)
        verdict.gaps.append(
            f"{more} jobs outside any query read files, and the recorder does not know which."
        )


def _place(scan: EventLogScan, declared: PermittedReads, verdict: Verdict) -> None:
    read = {name.partition(EARLIER)[0] for name in verdict.tables}
    for path in scan.paths:
        table = declared.paths.get(path)
        if table is not None:
            if table not in read and not declared.own.get(table):
                told = verdict.gaps if table in declared.permit.tables else verdict.breaches
                told.append(f"{table} was scanned, and no query that the recorder knows reads it.")
        elif path not in declared.lists and any(
            below(path, root) for root in (declared.lake, *declared.closed)
        ):
            verdict.breaches.append(f"{path} was scanned, past the study.")


def summary(logged: EventLogReads, declared: PermittedReads, verdict: Verdict) -> dict[str, object]:
    """How much each observer saw; rows in coarse steps, paths and literals not at all."""
    rows: dict[str, int] = {}
    for scan in logged.scans:
        for path in scan.paths[:1]:
            if (table := declared.paths.get(path)) is not None:
                rows[table] = rows.get(table, 0) + scan.rows
    return {
        "plans": verdict.queries,
        "executions": logged.executions,
        "scans": len(logged.scans),
        "rows_scanned": {table: count // COARSE * COARSE for table, count in sorted(rows.items())},
        "event_log": logged.sha256,
    }
