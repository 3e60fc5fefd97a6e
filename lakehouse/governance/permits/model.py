"""The permit as a checked model: what may be read, by whom, until when; one hash for one content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lakehouse.data_model import GOLD
from lakehouse.errors import ConfigurationError
from lakehouse.governance.permits.parts import (
    Assessment,
    ColumnUse,
    Condition,
    ExpectedPersons,
    Operation,
    Outputs,
    Period,
    Reidentification,
    TableGrant,
)
from lakehouse.settings import SMALL_CELL_FLOOR

__all__ = [
    "NOT_REAL",
    "ColumnUse",
    "Operation",
    "Period",
    "Permit",
    "TableGrant",
    "checked",
]

NOT_REAL = "not-real-data"
"""Legal basis of permits that the platform writes itself; refused on a lake of real persons."""


class Permit(BaseModel):
    """A study approval, reduced to what a machine must hold.

    ``population`` is SQL over the columns of ``gold.person`` or ``"all"``; ``users`` names accounts, ``"*"``
    everyone; ``opt_outs`` is the path of a file with one lake pseudonym a line, applied as it stands when a table
    is opened. ``history_years`` lets the period begin at most that long before the day of reading. The law
    behind ``legal_basis`` is material for a check, never a claim of compliance.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    permit_id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    version: int = Field(default=1, ge=1)
    title: str = Field(min_length=3)
    legal_basis: Literal["46(1)", "46(2)", "47(1)", "42d", "43", "10", "not-real-data"]
    authority: str = Field(min_length=2)
    valid_from: date
    valid_to: date
    responsible: str = Field(min_length=2)
    users: tuple[str, ...] = Field(min_length=1)
    purpose: str = Field(min_length=3)
    population: str = "all"
    period: Period = Period()
    tables: Mapping[str, TableGrant] = Field(min_length=1)
    opt_outs: str | None = None
    min_cell: int = Field(default=SMALL_CELL_FLOOR, ge=SMALL_CELL_FLOOR)
    operations: tuple[Operation, ...] = (Operation.MINE,)

    supersedes: str = ""
    case_number: str = ""
    decision_date: date | None = None
    delete_by: date | None = None
    publish_by: date | None = None
    controller: str = ""
    dpo: str = ""
    processors: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    countries: tuple[str, ...] = ("DK",)
    roles: Mapping[str, str] = {}
    purpose_code: Literal["research", "statistics", "planning", "quality"] = "research"
    exploratory: bool = True
    public_interest: str = ""
    why_not_anonymous: str = ""
    expected_persons: ExpectedPersons = ExpectedPersons()
    history_years: int | None = Field(default=None, ge=1)
    free_text: bool = False
    linkages: tuple[str, ...] = ()
    outputs: Outputs = Outputs()
    reidentification: Reidentification | None = None
    journal_microdata: bool = False
    ethics_id: str = ""
    incidental_findings: str = ""
    dpia: Assessment | None = None
    conditions: tuple[Condition, ...] = ()

    @field_validator("tables")
    @classmethod
    def _known(cls, tables: Mapping[str, TableGrant]) -> Mapping[str, TableGrant]:
        problems = []
        for name, grant in tables.items():
            if name not in GOLD:
                problems.append(f"there is no table {name}")
                continue
            unknown = sorted(set(grant.uses) - set(GOLD[name].column_names))
            problems += [f"{name} has no column {column}" for column in unknown]
        if problems:
            raise ValueError("; ".join(problems))
        return tables

    @model_validator(mode="after")
    def _valid_span(self) -> Permit:
        if self.valid_from > self.valid_to:
            raise ValueError(f"valid_from {self.valid_from} is after valid_to {self.valid_to}")
        return self

    def canonical(self) -> str:
        """The one JSON text of this permit: sorted keys, no spaces, sorted column lists, nothing that is a default.

        Leaving defaults out keeps the hash of a permit when a later version of the platform knows more fields.
        """
        content = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for grant in content["tables"].values():
            for use in ColumnUse:
                if use in grant:
                    grant[use] = sorted(grant[use])
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical text, hex."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def valid_on(self, day: date) -> bool:
        """Whether the permit holds on a day."""
        return self.valid_from <= day <= self.valid_to

    def names(self, actor: str) -> bool:
        """Whether the actor is among the users."""
        return "*" in self.users or actor in self.users

    def period_on(self, day: date) -> Period:
        """The days the study may see when it reads on ``day``; ``ValueError`` when ``history_years`` leaves none."""
        if self.history_years is None:
            return self.period
        year = day.year - self.history_years
        first = day.replace(year=year, day=28) if (day.month, day.day) == (2, 29) else day.replace(year=year)
        return self.period.cut(first)

    def uses(self, table: str) -> dict[str, ColumnUse]:
        """Granted columns of a table, empty when the table is not granted."""
        return self.tables[table].uses if table in self.tables else {}

    def missing(self, wanted: Mapping[str, Iterable[str]]) -> list[str]:
        """Every ungranted table and ``table.column`` of a request, all at once.

        A table the platform does not know is named like one that is not granted.
        """
        absent = []
        for table, columns in wanted.items():
            uses = self.uses(table)
            if not uses:
                absent.append(table)
                continue
            absent += [f"{table}.{column}" for column in columns if column not in uses]
        return absent


Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], content: Mapping[str, Any], where: str) -> Model:
    """Build a model from parsed TOML.

    What is wrong becomes one :class:`ConfigurationError` that names every field and its fix.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or model.__name__.lower()}: {fault['msg']}"
            for fault in error.errors()
        ]
        raise ConfigurationError(
            f"{where} is not a valid {model.__name__}: " + "; ".join(faults) + ".",
            "A permit is applied exactly as written, so nothing in it is guessed.",
            "Correct " + ", ".join(sorted({fault.split(":")[0] for fault in faults})) + " in that file.",
        ) from error
