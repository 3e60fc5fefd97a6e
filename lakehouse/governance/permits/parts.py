"""The parts a permit is made of: periods, grants of tables, terms of output, re-identification, impact assessment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FROZEN = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ColumnUse(StrEnum):
    """How far a column may be used."""

    DIRECT = "direct"
    FILTER_ONLY = "filter_only"
    JOIN_ONLY = "join_only"


class Operation(StrEnum):
    """What may be done with what is read."""

    MINE = "mine"
    TRAIN = "train"
    EXPORT = "export"


class Sensitivity(StrEnum):
    """What a column can do to a person; a column not marked is ordinary health data."""

    ORDINARY = "ordinary"
    IDENTIFYING = "identifying"
    FREE_TEXT = "free_text"
    BIOINFORMATIC = "bioinformatic"


class Period(BaseModel):
    """The days a study may see, both ends included; an open end means everything on that side."""

    model_config = FROZEN

    start: date | None = Field(default=None, alias="from")
    end: date | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Period:
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"begins {self.start} after it ends {self.end}")
        return self

    @property
    def open(self) -> bool:
        """Whether every day is allowed."""
        return self.start is None and self.end is None

    def cut(self, first: date | None) -> Period:
        """The period without the days before ``first``; raises ``ValueError`` when none is left."""
        if first is None or (self.start is not None and self.start >= first):
            return self
        return Period.model_validate({"from": first, "to": self.end})


class TableGrant(BaseModel):
    """The columns of one table, by how far each may be used.

    ``rows`` is SQL over the table's own columns or ``"all"``; ``sensitivity`` and ``justification`` are given by
    column, ``why`` justifies the columns that have no words of their own.
    """

    model_config = FROZEN

    direct: tuple[str, ...] = ()
    filter_only: tuple[str, ...] = ()
    join_only: tuple[str, ...] = ()
    rows: str = "all"
    why: str = ""
    justification: Mapping[str, str] = {}
    sensitivity: Mapping[str, Sensitivity] = {}

    @model_validator(mode="after")
    def _named_once(self) -> TableGrant:
        names = [*self.direct, *self.filter_only, *self.join_only]
        if not names:
            raise ValueError("grants no column")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"names {', '.join(twice)} more than once")
        if stray := sorted({*self.justification, *self.sensitivity} - set(names)):
            raise ValueError(f"speaks of {', '.join(stray)}, which it does not grant")
        return self

    @property
    def uses(self) -> dict[str, ColumnUse]:
        """Use by column name, in the order direct, filter only, join only."""
        return {
            name: use
            for use, names in (
                (ColumnUse.DIRECT, self.direct),
                (ColumnUse.FILTER_ONLY, self.filter_only),
                (ColumnUse.JOIN_ONLY, self.join_only),
            )
            for name in names
        }

    def because(self, column: str) -> str:
        """Why a column is needed."""
        return self.justification.get(column, self.why)


class ExpectedPersons(BaseModel):
    """How many persons the authority was told of."""

    model_config = FROZEN

    min: int = Field(default=0, ge=0)
    max: int | None = None


class Reidentification(BaseModel):
    """On which ground persons may be found again, for which reasons, and how many at most."""

    model_config = FROZEN

    clause: str = Field(min_length=2)
    reasons: tuple[str, ...] = Field(min_length=1)
    max_persons: int = Field(ge=1)


class Outputs(BaseModel):
    """What may leave and how coarse it must be; ``rounding`` 0 means none beyond the platform's."""

    model_config = FROZEN

    classes: tuple[str, ...] = ("patterns", "figures", "report", "model")
    rounding: int = Field(default=0, ge=0)
    dominance_n: int = Field(default=2, ge=1)
    dominance_share: float = Field(default=0.85, gt=0, le=1)
    min_dof: int = Field(default=10, ge=1)


class Assessment(BaseModel):
    """The data protection impact assessment a permit rests on."""

    model_config = FROZEN

    id: str = Field(min_length=2)
    version: str = "1"
    date: date
    residual_risk: Literal["low", "medium", "high"] = "medium"
    consulted: bool = False


class Condition(BaseModel):
    """A condition of the authority; ``check`` names the control that holds it, empty when people must."""

    model_config = FROZEN

    text: str = Field(min_length=3)
    check: str = ""
