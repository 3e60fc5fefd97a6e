"""FHIR bundles, as one JSON document or one a line, as columns of text: each column by a declared path.

A path is a dotted walk from the resource: ``code.coding[system=urn:oid:1.2.208.176.2.21].code`` takes the first
coding of that system, ``name[0].given`` the first of a list, ``subject.resolve().id`` follows a reference inside
the bundle. ``%each.`` begins at the element a row is made of, ``%bundle.`` at the envelope. What the path meets
more than once gives the first; objects and lists themselves are no value. Moments with a zone become Danish clock
time, as the rest of the lake.

Runs inside a Python worker, on clear text: nothing here may log, raise or return a value but to pseudonymisation.
"""

from __future__ import annotations

import datetime
import gzip
import json
import re
import zoneinfo
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.declarations.schema import Bundle, Field, Table, Type
from lakehouse.delivery.readers.chunks import CHUNK_BYTES, LINE_BYTES, Chunk, file_digest
from lakehouse.errors import DataError
from lakehouse.identity.person_numbers import mask

if TYPE_CHECKING:
    import numpy as np

STEP_ROWS = 20_000
DOCUMENT_BYTES = 256 << 20
"""A larger single document does not fit a worker beside the rest; one bundle a line does, however long the file."""
STEP = re.compile(r"([^.\[\]()]+)(\(\))?(?:\[([^\]=]+)(?:=([^\]]*))?\])?(?:\.|$)")
ZONED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
LOCAL = zoneinfo.ZoneInfo("Europe/Copenhagen")
Json = Any


@dataclass(frozen=True)
class Context:
    """Where the paths of a row may begin: its element, its resource, the bundle around it."""

    element: Json
    resource: Json
    bundle: Json


@cache
def steps_of(path: str) -> tuple[tuple[str, str, str | None], ...]:
    """Name, filter and wanted value of each step; a call such as ``resolve()`` keeps its brackets in the name.

    Raises :class:`ValueError` where the text is no path.
    """
    steps, at = [], 0
    while at < len(path):
        found = STEP.match(path, at)
        if found is None:
            raise ValueError(f"no path: {path}")
        steps.append((found[1] + (found[2] or ""), found[3] or "", found[4]))
        at = found.end()
    return tuple(steps)


def value_at(context: Context, path: str) -> str | None:
    """The text at the end of a path, None where there is none."""
    starts = {"%each": context.element, "%bundle": context.bundle, "%resource": context.resource}
    steps = steps_of(path)
    found = [starts.get(steps[0][0], context.resource)]
    for name, filtered, wanted in steps[1:] if steps[0][0] in starts else steps:
        found = [each for node in found for each in walked(context, node, name)]
        if filtered and wanted is None and filtered.isdigit():
            found = found[int(filtered) : int(filtered) + 1]
        elif filtered:
            found = [each for each in found if isinstance(each, dict) and str(each.get(filtered)) == wanted]
    return next((text for text in map(as_text, found) if text is not None), None)


def walked(context: Context, node: Json, name: str) -> list[Json]:
    """What one step from a node leads to; a list is walked into."""
    if name == "resolve()":
        target = resolved(context, node)
        return [] if target is None else [target]
    found = node.get(name) if isinstance(node, dict) else None
    return found if isinstance(found, list) else [] if found is None else [found]


def resolved(context: Context, node: Json) -> Json:
    """The resource a reference points to, among those contained or in the same bundle."""
    reference = node.get("reference") if isinstance(node, dict) else None
    if not isinstance(reference, str):
        return None
    if reference.startswith("#"):
        inside = context.resource.get("contained") if isinstance(context.resource, dict) else None
        return next((each for each in listed(inside) if each.get("id") == reference[1:]), None)
    for entry in listed(context.bundle.get("entry") if isinstance(context.bundle, dict) else None):
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            continue
        named = f"{resource.get('resourceType')}/{resource.get('id')}"
        if entry.get("fullUrl") == reference or reference == named or reference.endswith(f"/{named}"):
            return resource
    return None


def listed(value: Json) -> list[dict[str, Json]]:
    """The objects of a list; nothing of anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def as_text(value: Json) -> str | None:
    """A simple value as text, moments with a zone as Danish clock time."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return clock_time(value) if ZONED.fullmatch(value) else value or None
    if isinstance(value, int | float):
        return repr(value)
    return None


def clock_time(text: str) -> str:
    """``2024-07-01T08:00:00Z`` as ``2024-07-01 10:00:00``."""
    try:
        moment = datetime.datetime.fromisoformat(text).astimezone(LOCAL)
    except (ValueError, OverflowError):
        return text
    return moment.replace(tzinfo=None, microsecond=0).isoformat(sep=" ")


def contexts(document: Json, wanted: Bundle) -> Iterator[Context]:
    """The rows of a document (a bundle, a list of resources, or one): one a resource, or one an element of it.

    A resource without the repeated element still is a row, so that none vanishes.
    """
    bundle = document if isinstance(document, dict) and document.get("resourceType") == "Bundle" else {}
    entries = [entry.get("resource") for entry in listed(bundle.get("entry"))] if bundle else [document]
    if isinstance(document, list):
        entries = list(document)
    for resource in entries:
        if isinstance(resource, dict) and resource.get("resourceType") == wanted.resource:
            elements = (
                walked(Context(None, resource, bundle), resource, wanted.each) if wanted.each else [None]
            )
            for element in elements or [None]:
                yield Context(element, resource, bundle)


def documents(chunk: Chunk) -> Iterator[Json | None]:
    """The documents of a chunk; None for a line that is none."""
    with ExitStack() as stack:
        raw = stack.enter_context(Path(chunk.path).open("rb"))
        packed = chunk.form.endswith("+gzip")
        stream = stack.enter_context(gzip.GzipFile(fileobj=raw)) if packed else raw
        if chunk.form.startswith("json"):
            text = stream.read(DOCUMENT_BYTES + 1)
            yield parsed(text) if len(text) <= DOCUMENT_BYTES else None
            return
        stream.seek(chunk.start)
        at = chunk.start
        while packed or at < chunk.stop:
            line = stream.readline(LINE_BYTES)
            if not line:
                return
            at += len(line)
            if line.strip():
                yield parsed(line)


def parsed(text: bytes) -> Json | None:
    """JSON, None where it is none."""
    try:
        return json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def bundle_rows(table: Table, chunk: Chunk) -> Iterator[Context | None]:
    """Rows of a table in a chunk; None stands for a document that could not be read."""
    assert table.bundle is not None
    for document in documents(chunk):
        if document is None:
            yield None
        else:
            yield from contexts(document, table.bundle)


def survey_bundles(name: str, table: Table, path: Path, form: str) -> tuple[str, list[str], list[Chunk]]:
    """Digest, fields and chunks. A whole document that cannot be read is refused; a line is a row that is none.

    Raises :class:`DataError` for such a document, and where the table declares no resources.
    """
    if table.bundle is None:
        raise DataError(f"{name} is JSON, and {table.name} declares no resources.", "", "Deliver it as CSV.")
    sha256 = file_digest(path)
    fields = [each.name for each in table.fields]
    if form == "ndjson":
        spans = line_spans(path)
    else:
        spans = [(0, path.stat().st_size)]
        if form.startswith("json") and next(documents(Chunk("", str(path), form, 0, 0, 1, 0)), None) is None:
            raise DataError(
                f"{name} is no complete JSON document of at most {DOCUMENT_BYTES >> 20} MB.",
                "It was cut on its way, or is too large to be read at once.",
                "Fetch it again, or deliver one bundle a line (.ndjson).",
            )
    chunks, first = [], 1
    for start, stop in spans:
        rows = sum(1 for _ in bundle_rows(table, Chunk("", str(path), form, start, stop, 1, 0)))
        chunks.append(Chunk(sha256[:16], str(path), form, start, stop, first, rows))
        first += rows
    return sha256, fields, [chunk for chunk in chunks if chunk.rows]


def line_spans(path: Path) -> list[tuple[int, int]]:
    """Spans of whole lines, some megabytes each."""
    size, spans, start = path.stat().st_size, [], 0
    with path.open("rb") as handle:
        while start < size:
            handle.seek(min(start + CHUNK_BYTES, size))
            handle.readline()
            spans.append((start, handle.tell()))
            start = handle.tell()
    return spans


def bundle_blocks(
    table: Table, chunk: Chunk
) -> Iterator[tuple[dict[str, Any], np.ndarray[Any, Any], dict[int, str]]]:
    """Columns of text, some thousand rows at a time."""
    block: list[Context | None] = []
    for row in bundle_rows(table, chunk):
        block.append(row)
        if len(block) == STEP_ROWS:
            yield as_block(table, block)
            block = []
    if block:
        yield as_block(table, block)


def as_block(
    table: Table, rows: list[Context | None]
) -> tuple[dict[str, Any], np.ndarray[Any, Any], dict[int, str]]:
    """One block: columns, reasons, and what may be shown of documents that are none."""
    import numpy as np
    import pyarrow as pa

    reasons = np.full(len(rows), None, dtype=object)
    shown = {}
    for number, row in enumerate(rows):
        if row is None:
            reasons[number], shown[number] = "corrupt_row", mask("no JSON")
    columns = {
        each.name: pa.chunked_array(
            [pa.array([text_of(each, row, table.decimal) for row in rows], pa.string())]
        )
        for each in table.fields
        if each.path
    }
    return columns, reasons, shown


def text_of(field: Field, row: Context | None, decimal: str) -> str | None:
    """What a field holds in a row, numbers with the declared decimal sign."""
    text = None if row is None else value_at(row, field.path)
    if text is not None and field.type is Type.NUMBER and decimal == ",":
        return text.replace(".", ",")
    return text
