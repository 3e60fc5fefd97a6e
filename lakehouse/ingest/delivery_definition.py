"""The family of delivery thresholds (``conf/delivery``): by which numbers a delivery is judged, for which tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Limits:
    """Bounds of one file: its rows over those of the delivery before, and its share of rows in quarantine, 0 to 1."""

    rows_at_least: float
    rows_at_most: float
    quarantine_at_most: float

    def __post_init__(self) -> None:
        if not 0 <= self.rows_at_least <= 1 <= self.rows_at_most:
            raise ValueError("rows_at_least must lie between 0 and 1, and rows_at_most must be 1 or more")
        if not 0 <= self.quarantine_at_most <= 1:
            raise ValueError("quarantine_at_most is a share, from 0 to 1")


@dataclass(frozen=True)
class DeliveryThresholds:
    """How far a delivered file may differ before it is warned of (``warn``) or refused (``refuse``).

    ``tables`` are the source tables it holds for; the one without tables holds for all that no other names.
    """

    family: ClassVar[str] = "delivery"

    warn: Limits
    refuse: Limits
    tables: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        warn, refuse = self.warn, self.refuse
        if (
            warn.rows_at_least < refuse.rows_at_least
            or warn.rows_at_most > refuse.rows_at_most
            or warn.quarantine_at_most > refuse.quarantine_at_most
        ):
            raise ValueError(
                "what is refused must also be warned of: 'refuse' lies beyond 'warn' on every side"
            )
