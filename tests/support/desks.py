"""A small lake's release desk for tests: a run with its scope in the ledger, two signatories with keys, files to ask for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyroaring import BitMap

from lakehouse.governance.access.person_sets import PersonSets
from lakehouse.governance.approvals import signatories
from lakehouse.governance.ledger import ledger
from lakehouse.governance.permits.files import grant_all
from lakehouse.governance.release.records import Actor, acting
from lakehouse.governance.scope.scope import Read, Scope, State
from lakehouse.settings import Settings, load_settings


@dataclass(frozen=True)
class Desk:
    """Everything a release needs: ``anna`` asks, ``bo`` reviews; ``run`` is the folder of an accounted run."""

    settings: Settings
    run: Path
    anna: Actor
    bo: Actor

    def run_again(
        self,
        name: str,
        state: State = State.ACCOUNTED,
        cells: tuple[int, ...] = (40, 50, 60),
        persons: Iterable[int] = (),
    ) -> Path:
        """Another run of the study, which read these persons (their numbers) where any are given."""
        return make_run(self.settings, name, state, cells, persons)


def make_desk(home: Path, kind: str = "synthetic") -> Desk:
    """A desk on a lake of this kind."""
    settings = load_settings(home, "test")
    settings.lake.mkdir(parents=True)
    (settings.lake / "lake.toml").write_text('kind = "synthetic"\n')
    grant_all(settings, "asthma")
    for name, role in (("anna", "requester"), ("bo", "approver")):
        key = home / "signatories" / f"{name}.pem"
        public = signatories.make_pair(key, "sign")
        signatories.enter(settings, signatories.Signatory(name, f"{name}-account", public, (role,)))
    actors = [
        acting(settings, name, home / "signatories" / f"{name}.pem", f"{name}-account")
        for name in ("anna", "bo")
    ]
    (settings.lake / "lake.toml").write_text(f'kind = "{kind}"\n')
    return Desk(settings, make_run(settings, "aa11" * 8), *actors)


def make_run(
    settings: Settings,
    name: str,
    state: State = State.ACCOUNTED,
    cells: tuple[int, ...] = (40, 50, 60),
    persons: Iterable[int] = (),
) -> Path:
    """A finished run: exact scope, receipt in the ledger, whom it read, checked outputs with their description."""
    run = settings.results / "asthma" / name
    checked = run / "checked"
    checked.mkdir(parents=True)
    read = Read(
        "gold.timeline", "lake/gold/timeline", 1, columns_direct=["code", "day"], rows=20_000, persons=20_000
    )
    everybody = BitMap(persons)
    reading = name if everybody else ""
    commitment = PersonSets(settings).store(reading, everybody) if everybody else ""
    scope = Scope("asthma", {"id": "asthma", "version": 1, "hash": "ab" * 32}, "author-account", "t0", "t1", state,
                  reads=[read], reading=reading, commitment=commitment)  # fmt: skip
    (run / "scope.json").write_text(scope.to_json())
    ledger.append(settings, "intent", {"run": name, "study": "asthma"})
    receipt = {"run": name, "state": str(state.value), "scope": scope.digest, "reading": reading}
    ledger.append(settings, "receipt", {**receipt, "reads": ["gold.timeline@1"]})
    rows = {"group": ["a", "b", "c", "all"], "n": [*cells, sum(cells)], "mean": [1.234567891, 2.0, 3.5, 2.1]}
    pq.write_table(pa.table(rows), checked / "table.parquet")
    (checked / "notes.md").write_text("# Asthma\n\nFour groups of persons.\n")
    (checked / "outputs.json").write_text(
        json.dumps({"table.parquet": {"kind": "counts", "dimensions": ["group"], "count": "n"}})
    )
    return run
