"""The scope record: what a run was allowed to read, what it read, and whether the two agree."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from lakehouse.errors import ScopeBreach

FORMAT = 2
DIGEST_LENGTH = 36
ALL_ROWS = "all rows of the study"


class State(StrEnum):
    """Whether a run's reads are known and permitted."""

    ACCOUNTED = "accounted"
    UNACCOUNTED = "unaccounted"
    BREACH = "breach"


@dataclass
class Read:
    """What was read of one table.

    ``rows`` and ``persons`` are exact: what the reads could see after the study's row rules and the
    conditions Spark pushes down; ``persons`` is ``None`` for a table without persons, both are ``None``
    when they could not be counted. ``columns_read`` is what left the disk, a superset of the three uses.
    """

    table: str
    path: str
    version: int
    columns_direct: list[str] = field(default_factory=list)
    columns_filter: list[str] = field(default_factory=list)
    columns_join: list[str] = field(default_factory=list)
    columns_read: list[str] = field(default_factory=list)
    predicates: list[str] = field(default_factory=list)
    rows: int | None = None
    persons: int | None = None
    queries: int = 0


@dataclass
class Scope:
    """The record of one run's reads. Holds counts, names and digests; no values, no pseudonyms.

    ``state`` says whether everything read is known (``accounted``), not known (``unaccounted``) or known to
    lie outside the permit (``breach``); ``reasons`` say why in plain English. ``denials`` were stopped
    before anything was read and do not make a run unaccounted. ``commitment`` is a keyed hash over everybody
    whose data was read in this ``reading``; the set itself lies with the keys. ``reconciliation`` counts what
    each of the two observers saw.
    """

    study: str
    permit: dict[str, Any]
    actor: str
    started: str
    ended: str
    state: State
    reasons: list[str] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    denials: list[dict[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    queries: int = 0
    failed_queries: int = 0
    opt_outs: str = ""
    reading: str = ""
    commitment: str = ""
    reconciliation: dict[str, Any] = field(default_factory=dict)
    assurance: str = "guarded"
    format: int = FORMAT

    @property
    def releasable(self) -> bool:
        """Whether results of the run may be released at all: only when every read is accounted for."""
        return self.state is State.ACCOUNTED

    @property
    def digest(self) -> str:
        """First 36 hex digits of the SHA-256 over the canonical form."""
        return hashlib.sha256(self._canonical().encode()).hexdigest()[:DIGEST_LENGTH]

    def _canonical(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def to_json(self) -> str:
        """The record with its digest, indented for reading."""
        content = {**asdict(self), "releasable": self.releasable, "digest": self.digest}
        return json.dumps(content, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Scope:
        """The record back from :meth:`to_json`.

        Raises :class:`ScopeBreach` for another format, or where the digest does not belong to the content.
        """
        content = json.loads(text)
        digest = content.pop("digest", None)
        content.pop("releasable", None)
        content.pop("shown", None)
        written = content.get("format")
        if written != FORMAT or set(content) - {each.name for each in fields(cls)}:
            raise ScopeBreach(
                f"The scope record has the format {written}, and this version of the platform reads {FORMAT}.",
                "A record is verified by the version that wrote it, or not at all.",
                "Run the job again, or read the record with 'patternlake scope show --json'.",
            )
        content["state"] = State(content["state"])
        content["reads"] = [Read(**read) for read in content["reads"]]
        scope = cls(**content)
        if digest is not None and digest != scope.digest:
            raise ScopeBreach(
                f"The scope record was changed: its digest is {scope.digest}, not {digest}.",
                "What it says of this run can't be relied upon.",
                "Compare it with the receipt in the ledger, and tell the data unit.",
            )
        return scope

    def describe(self) -> str:
        """The record as text for a terminal."""
        lines = [
            f"study {self.study}, permit {self.permit.get('id')} (version {self.permit.get('version')}), "
            f"{self.actor}, {self.started} to {self.ended}",
            f"scope {self.state}, digest {self.digest}",
        ]
        lines += [f"  because {reason}" for reason in self.reasons]
        for read in self.reads:
            persons = "" if read.persons is None else f", {read.persons:,} persons"
            rows = "rows not counted" if read.rows is None else f"{read.rows:,} rows"
            lines.append(f"{read.table} version {read.version}: {rows}{persons}, {read.queries} queries")
            for use in ("direct", "filter", "join"):
                if columns := getattr(read, f"columns_{use}"):
                    lines.append(f"  {use:<7}{', '.join(columns)}")
            lines += [f"  where  {predicate}" for predicate in read.predicates]
        if self.unused:
            lines.append(f"granted but not read: {', '.join(self.unused)}")
        lines += [f"refused: {denial['what']}" for denial in self.denials]
        lines += [f"remark: {remark}" for remark in self.remarks]
        return "\n".join(lines)
