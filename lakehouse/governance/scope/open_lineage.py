"""Receipts as OpenLineage events, with the subset facet filled: which part of a table a run read, under which permit."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from lakehouse.data_model import GOLD
from lakehouse.governance.permits.parts import Period

PRODUCER = "https://patternlake.invalid/governance/open_lineage"
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
DAY = {
    "gold.event": "day",
    "gold.timeline": "day",
    "gold.spell": "time_start",
    "gold.observation_period": "start_day",
    "gold.exposure": "start_day",
    "gold.course": "start_day",
}
"""Column that a permit's period narrows, by table."""


def events(
    receipt: Mapping[str, Any], period: Period, namespace: str = "patternlake"
) -> list[dict[str, Any]]:
    """START and COMPLETE (or FAIL) of a run; inputs stand on the last one, as they are known only then."""
    run = {
        "runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PRODUCER}/{receipt['run']}")),
        "facets": {"patternlake_receipt": _receipt(receipt)},
    }
    job = {"namespace": namespace, "name": f"{receipt['study']}.{receipt['job']}", "facets": {}}
    base = {"run": run, "job": job, "producer": PRODUCER, "schemaURL": SPEC, "outputs": []}
    inputs = [dataset(read, period, namespace) for read in receipt["reads"]]
    end = "FAIL" if receipt.get("verdict") == "failed" else "COMPLETE"
    return [
        {"eventType": "START", "eventTime": receipt["started"], **base, "inputs": []},
        {"eventType": end, "eventTime": receipt["ended"], **base, "inputs": inputs},
    ]


def dataset(read: Mapping[str, Any], period: Period, namespace: str) -> dict[str, Any]:
    """One table a run read: version, columns, and the part of it."""
    table = str(read["table"])
    used = {how: list(read[f"columns_{how}"]) for how in ("direct", "filter", "join")}
    names = sorted({name for columns in used.values() for name in columns})
    types = {column.name: column.type for column in GOLD[table].columns} if table in GOLD else {}
    facets = {
        "version": _facet("DatasetVersionDatasetFacet", datasetVersion=str(read["version"])),
        "schema": _facet(
            "SchemaDatasetFacet", fields=[{"name": name, "type": types.get(name, "?")} for name in names]
        ),
        "patternlake_scope": _facet(
            "", columns=used, predicates=list(read["predicates"]), rows=read["rows"], persons=read["persons"]
        ),
    }
    condition = subset(table, period)
    subset_facet = (
        {"subset": _facet("InputSubsetInputDatasetFacet", inputCondition=condition)} if condition else {}
    )
    return {"namespace": namespace, "name": table, "facets": facets, "inputFacets": subset_facet}


def subset(table: str, period: Period) -> dict[str, Any] | None:
    """The permit's period on a table as a condition, ``None`` when all days are granted."""
    column = DAY.get(table)
    limits = [("GREATER_EQUAL_THAN", period.start), ("LESS_EQUAL_THAN", period.end)]
    parts = [
        {
            "type": "compare",
            "left": {"type": "field", "field": column},
            "right": {"type": "literal", "value": str(day)},
            "comparison": comparison,
        }
        for comparison, day in limits
        if day is not None and column is not None
    ]
    if len(parts) < 2:
        return parts[0] if parts else None
    return {"type": "binary", "left": parts[0], "right": parts[1], "operator": "AND"}


def _receipt(receipt: Mapping[str, Any]) -> dict[str, Any]:
    facts = {
        name: receipt.get(name, "")
        for name in ("permit", "state", "assurance", "verdict", "commitment", "code", "sig")
    }
    return _facet("", **facts)


def _facet(name: str, **content: Any) -> dict[str, Any]:
    version = "1-0-1" if name == "DatasetVersionDatasetFacet" else "1-0-0"
    url = f"{FACETS}/{version}/{name}.json#/$defs/{name}" if name else f"{PRODUCER}#facet"
    return {"_producer": PRODUCER, "_schemaURL": url, **content}
