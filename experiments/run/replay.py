"""Replaying a run from its receipt: the same data versions, parameters and seed must give the same result hash."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import DataError, ScopeBreach

if TYPE_CHECKING:
    from lakehouse.settings import Settings


@dataclass(frozen=True)
class EarlierRun:
    """A run to be replayed: what its receipt says it was made from and came to."""

    run: str
    receipt: dict[str, Any]

    @classmethod
    def of(cls, settings: Settings, run: str, study: str) -> EarlierRun:
        """The run's receipt, refused unless it is valid in signature and ledger.

        Raises :class:`DataError` where the run has no receipt, :class:`PermissionRefused` where it is not valid.
        """
        from experiments.tracking.run_folders import find_run
        from lakehouse.governance.ledger.receipts import require

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
