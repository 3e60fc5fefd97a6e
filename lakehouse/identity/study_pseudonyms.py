"""Study pseudonyms: lake tokens turned into tokens of one study, under a key no plan, log or setting ever holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.identity.pseudonyms import domain_key, generation, root_key_file, successor, token_batch

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import Column

    from lakehouse.settings import Settings

TOKEN_COLUMNS = ("person_id", "encounter_id", "spell_id")
"""Columns whose lake tokens would link studies, so every study sees its own."""


def study_key_file(settings: Settings, study_id: str) -> Path:
    """Path of the study's own key, derived from the root key and written once, readable by its owner alone.

    Workers open this file, never the root key, so a study's processes need no more than their own key.
    """
    root = root_key_file(settings, create=False)
    path = settings.keys / "studies" / f"{study_id}.key"
    newest = generation(str(root))
    key = domain_key(str(successor(root, newest)), f"study/{study_id}", newest)
    if path.is_file() and path.read_bytes() == key:
        return path
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(key)
    temporary.replace(path)
    return path


def tokens_of(lake_tokens: pd.Series, key_path: str) -> pd.Series:
    """Study tokens of a batch, as 34 hex digits; nulls stay null, and each distinct token is computed once."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    position, distinct = pd.factorize(lake_tokens)
    made = token_batch(key_path, "study", pa.array(distinct, pa.string()))
    tokens = np.array([*made.to_pylist(), None], dtype=object)
    return pd.Series(tokens[position], index=lake_tokens.index)


def token_column(column: Column, key_path: Path) -> Column:
    """A lake-token column as the study's own; the plan holds the key's path, never the key."""
    import pandas as pd
    from pyspark.sql.pandas.functions import pandas_udf

    where = str(key_path)

    def study_pseudonym(lake_tokens: pd.Series) -> pd.Series:
        return tokens_of(lake_tokens, where)

    study_pseudonym.__annotations__ = {"lake_tokens": pd.Series, "return": pd.Series}
    made: Column = pandas_udf(study_pseudonym, "string")(column)  # type: ignore[call-overload]
    return made
