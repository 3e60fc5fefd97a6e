"""A declared table read from one file of any form, as pseudonymisation hands it on: no Spark, no delivery folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from lakehouse.declarations.schema import Source, Table
from lakehouse.delivery.find import DeliveredFile, Delivery
from lakehouse.delivery.readers.blocks import Part
from lakehouse.delivery.survey import FileSurvey, survey
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.ingest.pseudonymise import Pseudonymiser, read_chunk
from lakehouse.settings import load_settings


def look(table: Table, path: Path) -> FileSurvey:
    """First look at a file of the table."""
    source = Source("trial", "danish", "cpr", (table,))
    delivery = Delivery(path.parent, "danish", "synthetic", "", None, None, None, (), ())
    assert table.takes(PurePosixPath(path.name)), f"{path.name} is no file of {table.name}"
    return survey(DeliveredFile(path, path.name, source, table), delivery)


def read(table: Table, path: Path) -> list[dict[str, Any]]:
    """Rows of a file as bronze has them."""
    file = look(table, path)
    home = path.parent / "home"
    key = root_key_file(load_settings(home, "test"), create=True)
    parts = tuple(Part(chunk, path.name, file.columns, None, "", file.encoding) for chunk in file.chunks)
    pseudonymiser = Pseudonymiser(table, "cpr", str(key), verbatim=False)
    return [row for part in parts for block in read_chunk(pseudonymiser, part) for row in block.to_pylist()]
