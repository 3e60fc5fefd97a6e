"""Arrow's form of Spark's types, for files that are written without Spark and read with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_schema(ddl: str) -> pa.Schema:
    """The Arrow schema that Spark itself gives to columns described as in ``CREATE TABLE``."""
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import StructType

    described = StructType.fromDDL(ddl)
    assert isinstance(described, StructType)
    return to_arrow_schema(described)
