"""``scope explain-model``: one offline page that says what a model was made from, for people who have to answer for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}}
h1{{font-size:1.5rem}}table{{border-collapse:collapse;width:100%;margin:.6rem 0}}td,th{{border:1px solid #ccc;
padding:.3rem .6rem;text-align:left;vertical-align:top}}th{{background:#f4f4f4}}
code{{font-size:.85em;word-break:break-all}}.bad{{color:#a00}}
</style></head><body><h1>{title}</h1><p>{summary}</p>{body}</body></html>
"""


def page(receipt: Mapping[str, Any], permit: Mapping[str, Any] | None, faults: list[str]) -> str:
    """The page of a receipt; ``faults`` are the reasons why it is not valid, empty when it is."""
    title = f"What {receipt['study']}'s model of {str(receipt.get('started', ''))[:10]} was made from"
    whose = permit.get("population", "") if permit else ""
    summary = (
        f"Run <code>{_safe(receipt['run'])}</code> of <b>{_safe(receipt['job'])}</b> under permit "
        f"<b>{_safe(receipt['permit'].get('id', ''))}</b>, assurance level <b>{_safe(receipt.get('assurance', ''))}</b>. "
        + (
            "The receipt is valid."
            if not faults
            else f"<span class=bad>Not valid: {_safe('; '.join(faults))}.</span>"
        )
    )
    facts = [
        ("Question", receipt.get("question", "")),
        ("Purpose", permit.get("purpose", "") if permit else ""),
        (
            "Whose data",
            f"{whose or 'see the permit'}; opt-outs removed ({receipt.get('opt_outs') or 'no list'})",
        ),
        ("Period", str(permit.get("period", "all days")) if permit else ""),
        ("Reads are", f"{receipt['state']} {'; '.join(receipt.get('reasons', ()))}"),
        ("Refused on the way", "; ".join(receipt.get("denials", ())) or "nothing"),
        ("Granted and not read", ", ".join(receipt.get("unused", ())) or "nothing"),
        ("Released", receipt.get("verdict", "")),
        ("Code, environment", f"{receipt.get('code', '')}, {receipt.get('environment', '')[:16]}"),
        ("Parameters, seed", f"{receipt.get('params', {})}, {receipt.get('seed', '')}"),
        ("Repeat it", receipt.get("command", "")),
        ("Commitment to the persons", receipt.get("commitment", "")),
        ("Result", receipt.get("result", "")),
    ]
    reads = [
        [
            "Table",
            "Version",
            "Persons",
            "Rows",
            "Used directly",
            "In conditions",
            "In joins, groups, order",
            "Where",
        ]
    ]
    for read in receipt["reads"]:
        counts = ["–" if read[name] is None else f"{read[name]:,}" for name in ("persons", "rows")]
        columns = [", ".join(read[f"columns_{how}"]) for how in ("direct", "filter", "join")]
        reads.append(
            [read["table"], str(read["version"]), *counts, *columns, " or ".join(read["predicates"])]
        )
    files = [["File", "SHA-256"], *([name, digest] for name, digest in receipt.get("artefacts", {}).items())]
    body = (
        _table([[name, str(value)] for name, value in facts])
        + _table(reads, head=True)
        + _table(files, head=True)
    )
    return PAGE.format(title=_safe(title), summary=summary, body=body)


def _table(rows: list[list[str]], *, head: bool = False) -> str:
    lines = []
    for number, row in enumerate(rows):
        cell = "th" if head and number == 0 else "td"
        lines.append("<tr>" + "".join(f"<{cell}>{_safe(value)}</{cell}>" for value in row) + "</tr>")
    return "<table>" + "".join(lines) + "</table>"


def _safe(text: object) -> str:
    from html import escape

    return escape(str(text))
