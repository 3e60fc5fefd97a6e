"""A new root key: every token in the lake carried to the next generation, row by row the same, or not at all.

Each table is one atomic commit, and only tokens of an earlier generation are touched, so a killed rotation is
finished by repeating it; until then the pending key keeps every ingest and every study out.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.delta.log import stamp_of
from lakehouse.delta.read import rows_of
from lakehouse.delta.writer_lock import only_writer
from lakehouse.errors import DataError
from lakehouse.governance.ledger import ledger
from lakehouse.governance.persons.erasure import note_gold, noted, purge, purging, renumber
from lakehouse.governance.persons.token_tables import SHAPE, TokenTable, token_tables
from lakehouse.identity.pseudonyms import carried, generation, successor
from lakehouse.identity.vault import open_vault
from lakehouse.private_files import write_private
from lakehouse.spark_internals.process import jvm_process

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import Column, SparkSession

    from lakehouse.lake import Lake


def rotate_root(lake: Lake) -> int:
    """Carry the whole lake, the vault and the opt-out lists to a new root key; returns rows of tables moved.

    Old versions of the tables are removed, because beside the new ones they would link old tokens to new.
    """
    root = lake.settings.keys / "root.key"
    number = generation(str(root)) + 1
    pending = successor(root, number).with_name(successor(root, number).name + ".pending")
    writers = [os.getpid(), jvm_process(lake.spark)]
    with only_writer(lake.settings.lake / ".writer.lock", writers), purging(lake.spark):
        ledger.append(lake.settings, "root-rotation", {"event": "intent", "generation": number})
        if not pending.is_file():
            write_private(pending, secrets.token_bytes(32))
        rows = 0
        for table in token_tables(lake):
            if lake.settings.lake in table.path.parents:
                rows += move(lake.spark, table, str(root), number, str(pending))
        onward = partial(carried_texts, str(root), number, str(pending))
        for path in sorted((lake.settings.home / "optouts").glob("*/*.txt")):
            lines = sorted(path.read_text(encoding="utf-8").split())
            write_private(path, "".join(f"{line}\n" for line in onward(lines)).encode())
        if (lake.settings.vault / "inbox.key").is_file():
            vault = open_vault(lake.settings)
            vault.collect()
            vault.advance(onward)
        renumber(lake.settings, onward)
        note_gold(lake.settings)
        pending.replace(successor(root, number))
        ledger.append(lake.settings, "root-rotation", {"event": "done", "generation": number})
    return rows


def carried_texts(root: str, number: int, pending: str, tokens: Sequence[str]) -> list[str]:
    """Tokens carried to the next generation, as texts."""
    import pyarrow as pa

    moved: list[str] = carried(root, number, pa.array(tokens, pa.string()), pending).to_pylist()
    return moved


def move(spark: SparkSession, table: TokenTable, root: str, number: int, pending: str) -> int:
    """Rewrite one table with tokens of the next generation; the rows it has, 0 when it held none of an earlier one.

    Raises :class:`DataError` where the table has more or fewer rows afterwards.
    """
    from pyspark.sql import functions as fn

    frame = rows_of(spark, table.path)
    names = (*table.subject, *table.keys, *table.others)
    older = [f"(`{name}` RLIKE '{SHAPE}' AND substring(`{name}`, 1, 2) < '{number:02x}')" for name in names]
    if frame.where(" OR ".join(older)).isEmpty():
        return 0
    before = frame.count()
    moved = {
        name: fn.when(fn.expr(old), advanced(fn.col(name), root, number, pending)).otherwise(fn.col(name))
        for name, old in zip(names, older, strict=True)
    }
    detail = spark.sql(f"DESCRIBE DETAIL {table.sql}").select("partitionColumns").collect()[0][0]
    with noted(spark, stamp_of(table.path)):
        frame.withColumns(moved).write.format("delta").mode("overwrite").partitionBy(*detail).save(
            str(table.path)
        )
    after = rows_of(spark, table.path).count()
    if after != before:
        raise DataError(
            f"{table.path.name} had {before} rows and has {after} under the new key.",
            "A rotation loses no row; the earlier version is still there.",
            "Restore that version and report this.",
        )
    purge(spark, table)
    return before


def advanced(column: Column, root: str, number: int, pending: str) -> Column:
    """A column of tokens carried onward; the plan holds paths of keys, never a key."""
    import pandas as pd
    from pyspark.sql.pandas.functions import pandas_udf

    def onward(tokens: pd.Series) -> pd.Series:
        import pandas
        import pyarrow
        import pyarrow.compute as pc

        position, distinct = pandas.factorize(tokens)
        texts = pyarrow.array(distinct, pyarrow.string())
        shaped = pc.match_substring_regex(texts, SHAPE)
        made = carried(root, number, texts.filter(shaped), pending if Path(pending).is_file() else "")
        moved = pc.replace_with_mask(texts, shaped, made).to_pylist()
        return pandas.Series([*moved, None], dtype=object).take(position).set_axis(tokens.index)

    onward.__annotations__ = {"tokens": pd.Series, "return": pd.Series}
    made: Column = pandas_udf(onward, "string")(column)  # type: ignore[call-overload]
    return made
