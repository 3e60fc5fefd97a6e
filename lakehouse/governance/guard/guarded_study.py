"""What the guard needs to know of the study it watches, so that it need not know the study's own module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lakehouse.errors import PermissionRefused
    from lakehouse.governance.access.row_rules import RowRules
    from lakehouse.governance.permits.model import Permit
    from lakehouse.governance.scope.reconcile import OpenedTables, PermittedReads
    from lakehouse.settings import Settings


class GuardedStudy(Protocol):
    """An open study as its guard sees it."""

    permit: Permit
    settings: Settings
    rules: RowRules

    @property
    def id(self) -> str:
        """The study's id."""

    @property
    def is_open(self) -> bool:
        """Whether tables can be asked for."""

    def opened_tables(self) -> OpenedTables:
        """What was handed out so far."""

    def declared(self) -> PermittedReads:
        """What the permit allows, with the places it stands for."""

    def denied(self, refusal: PermissionRefused) -> PermissionRefused:
        """The refusal, put on the study's record."""
