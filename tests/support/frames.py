"""How two Spark frames are held against each other: by chispa, which shows the rows that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chispa import assert_df_equality

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def same_rows(one: DataFrame, other: DataFrame, what: str = "") -> None:
    """Require the same columns of the same types and the same rows, each as often, in any order.

    Whether a column may be null is left apart, for Delta says of every column that it may; NaN equals NaN.
    ``what`` stands in the message.
    Raises chispa's ``SchemasNotEqualError`` or ``DataFramesNotEqualError``.
    """
    try:
        assert_df_equality(
            one,
            other,
            ignore_row_order=True,
            ignore_nullable=True,
            ignore_metadata=True,
            allow_nan_equality=True,
        )
    except Exception as error:
        error.add_note(what)
        raise
