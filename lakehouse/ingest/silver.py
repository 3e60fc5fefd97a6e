"""Silver: rows typed and coded; those that cannot be go to quarantine with a reason and a masked example."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lakehouse.arrow_text import coded, places_of
from lakehouse.declarations.convert import stored_as
from lakehouse.declarations.schema import DerivedColumn, Table, Type
from lakehouse.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_type(kind: Type) -> pa.DataType:
    """What a field of a type is stored as."""
    import pyarrow as pa

    match kind:
        case Type.DATE | Type.WEEK:
            return pa.date32()
        case Type.TIMESTAMP:
            return pa.timestamp("us")
        case Type.NUMBER:
            return pa.float64()
        case Type.INTEGER:
            return pa.int64()
        case Type.WIDE:
            return pa.list_(pa.struct([(name, pa.string()) for name in ("first", "last", "value")]))
        case _:
            return pa.string()


def silver_schema(table: Table) -> pa.Schema:
    """Columns of a table's silver: where a row stood, its fields but those nobody may see, and what is derived."""
    import pyarrow as pa

    where = [
        ("file_id", pa.string()),
        ("row_number", pa.int64()),
        ("delivered", pa.date32()),
        ("remarks", pa.string()),
    ]
    fields = [(each.name, arrow_type(each.type)) for each in table.fields if each.type is not Type.RESTRICTED]
    return pa.schema(
        [*where, *fields, *((name, arrow_type(each.type)) for name, each in table.derived.items())]
    )


def quarantine_schema() -> pa.Schema:
    """Columns of every table in quarantine: where bad rows stand, why, and a masked example."""
    import pyarrow as pa

    texts = ("source_table", "reason", "example")
    return pa.schema(
        [("file_id", pa.string()), ("row_number", pa.int64()), *((name, pa.string()) for name in texts)]
    )


def silver_of(bronze: pa.Table, table: Table) -> pa.Table:
    """Good rows of bronze, typed. Work is done once for each distinct text.

    Raises :class:`DataError` where a text that was let through is no value after all.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = bronze if bronze["fault"].null_count == len(bronze) else bronze.filter(pc.is_null(bronze["fault"]))
    schema = silver_schema(table)
    read = {each.name: stored_as(each, table.decimal) for each in table.fields}
    columns = []
    for name, kind in zip(schema.names, schema.types, strict=True):
        try:
            if name in table.derived:
                columns.append(derived(table.derived[name], rows, kind))
            elif value := read.get(name):
                columns.append(converted(rows[name], value, kind))
            else:
                columns.append(rows[name])
        except Exception as error:
            raise DataError(
                f"{table.name}.{name} holds a text that pseudonymisation let through and that is no value "
                f"({type(error).__name__}).",
                "Nothing of the file is used.",
                "Report this with the table's name; no value is told here.",
            ) from None
    return pa.table(columns, schema=schema)


def quarantine_of(bronze: pa.Table, table: Table) -> pa.Table:
    """Bad rows of bronze: found by the opposite condition, so that the balance is a check and no subtraction."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = bronze.filter(pc.is_valid(bronze["fault"]))
    columns = {
        "file_id": rows["file_id"],
        "row_number": rows["row_number"],
        "source_table": pa.repeat(table.name, len(rows)),
        "reason": rows["fault"],
        "example": rows["fault_example"],
    }
    return pa.table([columns[name] for name in quarantine_schema().names], schema=quarantine_schema())


def converted(column: pa.ChunkedArray, value: Callable[[str], object], kind: pa.DataType) -> pa.Array:
    """A column of texts as what they stand for; nothing stays nothing."""
    import pyarrow as pa

    texts, places = coded(column)
    return pa.array([value(text) for text in texts.to_pylist()], kind).take(places)


def derived(column: DerivedColumn, rows: pa.Table, kind: pa.DataType) -> pa.Array:
    """A column worked out of delivered texts; its rule is asked once for each distinct set of them."""
    import numpy as np
    import pyarrow as pa

    texts: list[list[str | None]] = []
    at = np.zeros(len(rows), np.int64)
    for name in column.of:
        values, places = coded(rows[name])
        texts.append([*values.to_pylist(), None])
        at = at * len(texts[-1]) + places_of(places, len(values))
    sets, which = np.unique(at, return_inverse=True)
    given = []
    for each in reversed(texts):
        given.append([each[place] for place in (sets % len(each)).tolist()])
        sets = sets // len(each)
    return pa.array([column.value(*each) for each in zip(*reversed(given), strict=True)], kind).take(
        pa.array(which)
    )
