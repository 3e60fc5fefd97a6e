"""The receipt: signed, small whatever the job did, known to the ledger, and nothing is registered without a valid one."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.products.result_hash import table_hash
from experiments.run.replay import EarlierRun
from lakehouse.errors import DataError, PermissionRefused, ScopeBreach
from lakehouse.governance.ledger import ledger, receipts
from lakehouse.settings import Settings
from tests.support.pattern_tables import scope_like

RUN = {
    "run": "r1",
    "job": "mine_pairs",
    "code": "0.1.0+abc",
    "result": "ff" * 32,
    "environment": "e",
    "verdict": "checked",
}


def issued(settings: Settings, scope: dict[str, Any] | None = None, **run: Any) -> dict[str, Any]:
    """A receipt as the runner leaves it: in the study's folder and in the ledger."""
    made = receipts.make(
        settings, scope or {**scope_like(), "versions": {"gold.timeline": 3}}, {**RUN, **run}, {}
    )
    folder = settings.results / "demo" / made["run"]
    folder.mkdir(parents=True)
    (folder / "receipt.json").write_text(json.dumps(made))
    (folder / "scope.json").write_text(json.dumps(scope_like()))
    ledger.append(settings, "receipt", {"run": made["run"], "receipt": receipts.receipt_hash(made)})
    return made


def test_a_receipt_names_permit_versions_columns_rows_persons_and_code(settings: Settings) -> None:
    made = issued(settings)
    assert made["permit"] == {"id": "p1", "version": 1, "hash": "ab" * 32}
    read = made["reads"][0]
    assert (read["table"], read["version"], read["rows"], read["persons"]) == (
        "gold.timeline",
        3,
        20_000,
        20_000,
    )
    assert (
        read["columns_filter"] == ["split"] and made["code"] == "0.1.0+abc" and made["state"] == "accounted"
    )
    receipts.require(settings, made)


@pytest.mark.parametrize("field", ["state", "reads", "permit", "verdict", "result", "artefacts"])
def test_any_change_takes_a_receipts_force(settings: Settings, field: str) -> None:
    made = issued(settings)
    with pytest.raises(PermissionRefused, match="signature does not hold"):
        receipts.require(settings, {**made, field: "another"})


def test_a_receipt_the_ledger_does_not_know_is_none(settings: Settings) -> None:
    issued(settings)
    other = receipts.make(settings, scope_like(), {**RUN, "run": "r2"}, {})
    with pytest.raises(PermissionRefused, match="ledger does not know it"):
        receipts.require(settings, other)
    with pytest.raises(PermissionRefused, match="there is none"):
        receipts.require(settings, None)


@pytest.mark.parametrize("state", ["unaccounted", "breach"])
def test_a_run_that_is_not_accounted_for_has_no_valid_receipt(settings: Settings, state: str) -> None:
    made = issued(settings, scope_like(state=state))
    with pytest.raises(PermissionRefused, match=f"its reads are {state}"):
        receipts.require(settings, made)


def test_an_artefact_changed_afterwards_is_found(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("as checked")
    files = receipts.hashes([tmp_path / "report.html"], tmp_path)
    made = receipts.make(settings, scope_like(), RUN, files)
    ledger.append(settings, "receipt", {"run": "r1", "receipt": receipts.receipt_hash(made)})
    receipts.require(settings, made, tmp_path)
    (tmp_path / "report.html").write_text("another")
    with pytest.raises(PermissionRefused, match=r"report\.html was changed"):
        receipts.require(settings, made, tmp_path)


def test_a_receipt_stays_small_whatever_the_job_did(settings: Settings) -> None:
    scope = scope_like()
    scope["reads"] *= 10
    for read in scope["reads"]:
        read["predicates"] = [f"(`day` > {n}) AND " + "x" * 5000 for n in range(200)]
    scope["reasons"] = [f"A source was read {n} " + "y" * 900 for n in range(500)]
    scope["denials"] = [{"what": "z" * 2000} for _ in range(500)]
    artefacts = {f"figure-{n}.png": secrets.token_hex(32) for n in range(2000)}
    made = receipts.make(settings, scope, RUN, artefacts)
    assert len(json.dumps(made, indent=2, ensure_ascii=False).encode()) <= 64 * 1024
    assert made["reads"][0]["columns_direct"] and made["scope"] == scope["digest"]


def table(order: int = 1, **more: Any) -> pa.Table:
    columns = {
        "code": pa.array(["a", "b", None][::order]), "z": pa.array([0.5, None, 2.0][::order]),
        "n": pa.array([1, 2, 3][::order]), "lags": pa.array([[1, 2], None, []][::order]),
        "system": pa.array(["x", "x", "y"][::order]).dictionary_encode(), "called": pa.array([True, None, False][::order]),
    }  # fmt: skip
    return pa.table({**columns, **more})


def test_result_hash_is_of_content_alone() -> None:
    whole = table()
    chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    assert table_hash(chunked) == table_hash(whole)
    assert table_hash(table(run_id=pa.array(["r"] * 3))) == table_hash(whole), (
        "the run's own name does not count"
    )
    mask = np.array([False, True, False])
    assert table_hash(whole.set_column(1, "z", pa.array([0.5, 7.0, 2.0], mask=mask))) == table_hash(whole)
    file = pa.BufferOutputStream()
    pq.write_table(whole, file)
    assert table_hash(pq.read_table(pa.BufferReader(file.getvalue()))) == table_hash(whole), "Parquet renames"


@pytest.mark.parametrize(
    ("place", "name", "values"),
    [
        (0, "code", ["a", "b", ""]), (0, "code", ["ab", "", None]), (1, "z", [0.5, 0.0, 2.0]), (2, "n", [1, 2, 4]),
        (3, "lags", [[1], [2], []]), (3, "lags", [[1, 2], [], []]), (5, "called", [True, False, False]),
    ],
)  # fmt: skip
def test_result_hash_sees_every_difference(place: int, name: str, values: list[Any]) -> None:
    assert table_hash(table().set_column(place, name, pa.array(values))) != table_hash(table())
    assert table_hash(table(-1)) != table_hash(table())


def test_replay_compares_with_the_receipt(settings: Settings) -> None:
    issued(settings)
    earlier = EarlierRun.of(settings, "r1", "demo")
    assert earlier.versions == {"gold.timeline": 3}
    issued(settings, run="r2")
    assert earlier.compare(settings.results / "demo" / "r2").startswith("same result as run r1")
    issued(settings, run="r3", result="00" * 32, code="0.1.0+def")
    with pytest.raises(ScopeBreach, match=r"another result.*code was 0\.1\.0\+abc"):
        earlier.compare(settings.results / "demo" / "r3")
    (settings.results / "demo" / "r1" / "receipt.json").unlink()
    with pytest.raises(DataError, match="no receipt"):
        EarlierRun.of(settings, "r1", "demo")
