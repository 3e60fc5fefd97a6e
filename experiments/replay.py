"""Replaying a run from its receipt: the same data versions, parameters and seed must give the same result hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import DataError, ScopeBreach

if TYPE_CHECKING:
    import pyarrow as pa

    from lakehouse.settings import Settings

OF_THE_RUN = ("run_id", "code_version")
"""Columns that name the run rather than what it found."""


def table_hash(table: pa.Table) -> str:
    """SHA-256 over the content of a table, whatever its chunks and whatever lies under its nulls.

    A list's elements are called ``item`` in memory and ``element`` once they were in a Parquet file: the same type.
    """
    digest = hashlib.sha256()
    for name in table.column_names:
        if name not in OF_THE_RUN:
            column = table.column(name)
            digest.update(f"{name} {column.type}".replace("<element: ", "<item: ").encode())
            _add(digest, column)
    return digest.hexdigest()


def _add(digest: Any, column: Any) -> None:
    """Add a column: which values are null, then the others; lists and structs by their parts."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    digest.update(np.packbits(np.asarray(column.is_valid())).tobytes())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        digest.update(np.asarray(pc.fill_null(pc.list_value_length(column), 0)).astype("<i8").tobytes())
        _add(digest, pc.list_flatten(column))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = pc.fill_null(column, "")
        digest.update(np.asarray(pc.binary_length(texts)).astype("<i8").tobytes())
        digest.update("".join(texts.to_pylist()).encode())
    elif pa.types.is_struct(kind):
        for place in range(kind.num_fields):
            digest.update(kind.field(place).name.encode())
            _add(digest, pc.struct_field(column, place))
    else:
        plain = _plain(kind)
        digest.update(_values(column) if plain else json.dumps(column.to_pylist(), default=str).encode())


def _plain(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _values(column: Any) -> bytes:
    import numpy as np
    import pyarrow.compute as pc

    return np.ascontiguousarray(np.asarray(pc.drop_null(column))).tobytes()


@dataclass(frozen=True)
class Earlier:
    """A run to be replayed: what its receipt says it was made from and came to."""

    run: str
    receipt: dict[str, Any]

    @classmethod
    def of(cls, settings: Settings, run: str, study: str) -> Earlier:
        """The run's receipt, refused unless it is valid in signature and ledger."""
        from experiments.results import find_run
        from lakehouse.governance.receipts import require

        folder = find_run(settings, run, study)
        path = folder / "receipt.json"
        if not path.is_file():
            raise DataError(f"Run {run} has no receipt.", "Only a run with a receipt can be replayed.", "")
        receipt = json.loads(path.read_text("utf-8"))
        require(settings, receipt)
        return cls(folder.name, receipt)

    @property
    def versions(self) -> dict[str, int]:
        """Version of every table the run was pinned to."""
        return {name: int(version) for name, version in self.receipt["versions"].items()}

    def differences(self, now: dict[str, Any]) -> Iterable[str]:
        """What besides the result differs between the two runs' receipts, and may explain a difference in it."""
        for name in ("code", "environment", "opt_outs"):
            if self.receipt.get(name) != now.get(name):
                yield f"{name} was {self.receipt.get(name)!s:.20}, is {now.get(name)!s:.20}"
        if self.receipt["permit"].get("hash") != now["permit"].get("hash"):
            yield "the permit was changed"

    def compare(self, folder: Path) -> str:
        """One sentence when the new run in ``folder`` came to the same; :class:`ScopeBreach` when it did not."""
        now = json.loads((folder / "receipt.json").read_text("utf-8"))
        differing = "; ".join(self.differences(now))
        if now.get("result") != self.receipt.get("result"):
            raise ScopeBreach(
                f"Replaying run {self.run} gave another result: {now.get('result')!s:.16}.",
                f"It was {self.receipt.get('result')!s:.16}. What differs: {differing or 'nothing the receipts know of'}.",
                "Look at both receipts with 'patternlake scope diff'.",
            )
        return f"same result as run {self.run}: {now['result'][:16]}" + (
            f" ({differing})" if differing else ""
        )
