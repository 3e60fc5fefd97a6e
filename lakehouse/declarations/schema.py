"""The words a source is declared in: files, columns with their types, and which columns become facts and events."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath


class Type(StrEnum):
    """What a delivered text stands for; decides how silver converts it and what pseudonymisation does to it."""

    PERSON = "person"
    """A person's identifier: becomes a token at pseudonymisation."""
    KEY = "key"
    """A record's key, such as a contact number: becomes a token at pseudonymisation."""
    TEXT = "text"
    CODE = "code"
    """Trimmed and upper case."""
    VERBATIM = "verbatim"
    """A code of a foreign system that must come through unchanged."""
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    NUMBER = "number"
    INTEGER = "integer"
    WEEK = "week"
    """A year and week, such as yyww: the Monday of the ISO week."""
    RESTRICTED = "restricted"
    """Free text that may name people: scrubbed in bronze, in no table behind it."""
    WIDE = "wide"
    """Many like columns of one row, gathered to a list of (first, last, value); see :attr:`Field.gathers`."""


TOKENS = (Type.PERSON, Type.KEY)
FORMS = r"\.(csv(\.gz)?|sas7bdat|parquet)"
"""Tail of :attr:`Table.files` for tables that come as text, as SAS file or as Parquet."""
BUNDLES = r"\.(nd)?json(\.gz)?"
"""The same for FHIR bundles."""
DATED = r"([a-zæøå]+_\d{4}/|\d{4}-?\d{2}(-?\d{2})?/)?"
"""A dated folder of a re-delivery, which is no part of a file's name: ``december_2023/``, ``2023-12-01/``."""


@dataclass(frozen=True)
class Field:
    """One column of a delivery.

    ``aliases`` are other headers it comes under (lower case; the name itself always counts). ``required``
    columns must be in the header; ``filled`` ones must hold a value in every row. ``domain`` separates kinds
    of keys. ``pattern`` is a regular expression a value must match, ``values`` maps delivered values to stored
    ones (any other is bad), ``pad`` restores leading zeros to that width. Of a ``classified`` person number the
    pseudonymisation remarks how it was read. ``sas`` says that bare integers are SAS days (or seconds) since 1960.

    Where it stands: under a header; in fixed-width files at ``span`` (first and last character, from 1); in FHIR
    bundles at ``path``. A ``WIDE`` field gathers every column whose whole lower-case header matches ``gathers``; the
    first group, else the header, is the column's name, after ``renamed``. With ``runs`` neighbouring columns of equal
    value become one element.
    """

    name: str
    type: Type = Type.TEXT
    aliases: tuple[str, ...] = ()
    required: bool = True
    filled: bool = False
    domain: str = ""
    pattern: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    pad: int = 0
    classified: bool = False
    sas: bool = False
    span: tuple[int, int] = (0, 0)
    path: str = ""
    gathers: str = ""
    runs: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header the column may come under, lower case."""
        return (self.name, *self.aliases)


@dataclass(frozen=True)
class DatedCodes:
    """Codes that were in use in some years only: a row whose ``field`` was not valid on its ``day`` is refused.

    ``spans`` gives for each code its (first, last) days in ISO form, ends included, ``""`` where open.
    """

    field: str
    day: str
    spans: Mapping[str, tuple[tuple[str, str], ...]]
    reason: str = "not_valid_then"


@dataclass(frozen=True)
class KnownPairs:
    """Pairs of texts that must be in a code list: a row whose pair is not is refused.

    ``list`` is a file of ``conf/codelists`` with the columns ``code`` and ``text``; codes it does not name at all,
    and rows whose second text is empty, pass.
    """

    fields: tuple[str, str]
    list: str
    reason: str


@dataclass(frozen=True)
class Join:
    """A lookup an event needs: ``frame`` is a silver table's role, matched on ``left`` = ``right``.

    ``at`` is SQL for a day, and ``valid`` the lookup's first and last day of validity (the last one counts, null
    is open): of several rows the one valid that day is taken, of several such the one that began last.
    """

    frame: str
    left: str
    right: str
    at: str = ""
    valid: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Event:
    """How rows of a table become rows of ``gold.event``.

    ``columns`` maps columns of ``gold.event`` to SQL over the silver row (``row.x``) and the joined frames
    (``encounter.x``); those left out are null. ``where`` chooses rows by the silver row alone. ``each`` names a
    list column: one event an element, which SQL sees as ``item``.
    """

    columns: Mapping[str, str]
    where: str = "true"
    joins: tuple[Join, ...] = ()
    each: str = ""


@dataclass(frozen=True)
class Facts:
    """Person facts: SQL for columns of ``gold.person``; several sources of one person are brought together."""

    columns: Mapping[str, str]
    where: str = "true"


@dataclass(frozen=True)
class Period:
    """Spans in which a person's care would be seen: SQL for first and last day (dates; a null end is open)."""

    start: str
    end: str
    where: str = "true"


@dataclass(frozen=True)
class Contacts:
    """Hospital contacts, from which stays are chained: SQL for key, start, end, whether acute, and the place.

    ``setting`` is SQL for the setting where the register says it itself (else null): out-patient courses, which
    may run for months, are then no part of any stay, and who was admitted is an in-patient however briefly.
    """

    contact: str
    start: str
    end: str
    precision: str
    acute: str
    place: str
    setting: str = ""


@dataclass(frozen=True)
class Links:
    """Persons whose number changed: SQL for the former and the later token, and the day of the change."""

    old: str
    new: str
    since: str
    where: str = "true"


@dataclass(frozen=True)
class Copies:
    """Tables whose events may be copies of one another: the group, and SQL for how good the row's copy is (1: best)."""

    group: str
    rank: str


@dataclass(frozen=True)
class Repeats:
    """Rows that repeat within a week because of how they are packed: SQL for which, by which columns, on what day.

    The first of a week gets ``repeated`` = false, the others true, for the events to see.
    """

    where: str
    same: tuple[str, ...]
    day: str


@dataclass(frozen=True)
class SetAggregate:
    """What the rows of one set say together: an aggregate (SQL) over all rows with equal ``same`` columns.

    Every row of the set gets it as ``column``, for the events to see.
    """

    same: tuple[str, ...]
    column: str
    aggregate: str


@dataclass(frozen=True)
class Reversal:
    """Rows of a negative amount that take back an earlier row.

    The one taken back has the ``same`` columns and the opposite ``amount``, and is the latest within so many
    days; its silver row gets ``reversed`` = true for the events to see.
    """

    same: tuple[str, ...]
    amount: str
    day: str
    within_days: int


@dataclass(frozen=True)
class Kin:
    """Who is whose child: columns of the child, its parents and its birth.

    Events find a parent's children under the role ``child``: ``parent_id``, and ``children``, a list of
    (person_id, birth_date).
    """

    child: str
    parents: tuple[str, ...]
    born: str
    where: str = "true"


@dataclass(frozen=True)
class StayCost:
    """What a contact costs, to be added up over a stay: SQL for the contact's key and the amount in kroner."""

    contact: str
    amount: str
    where: str = "true"


@dataclass(frozen=True)
class Places:
    """Places of treatment: SQL for columns of ``gold.place``; those left out are null."""

    columns: Mapping[str, str]


@dataclass(frozen=True)
class Names:
    """Texts of codes: SQL for the code as it stands in ``gold.event`` and for its text."""

    code: str
    text: str


@dataclass(frozen=True)
class DerivedColumn:
    """A further column of silver, worked out of delivered texts.

    ``value`` is called with the texts of the columns ``of`` (None where a row has none), once for each distinct set of
    them; it stands on module level, so that workers find it. ``rule`` counts up when it answers differently: rows of
    later deliveries are then read anew.
    """

    type: Type
    of: tuple[str, ...]
    value: Callable[..., object]
    rule: int = 1


@dataclass(frozen=True)
class Bundle:
    """What of FHIR bundles makes a row: resources of one type, or each element of the list ``each`` in them."""

    resource: str
    each: str = ""


@dataclass(frozen=True)
class Table:
    """One table of a source, as delivered.

    ``files`` is matched against the whole path below the delivery, lower case. ``issuer`` names the column
    that tells who issued a decentral person number. ``role`` makes the table available to joins. ``once``
    says that of equal rows in one file the first counts (not for tables whose own key is not read).
    ``derived`` are further silver columns by name. ``unless`` gives, by the name of another source, the contacts
    (SQL) that do not count once that source is in the lake, which has them too.

    ``absences`` cut the periods of all tables.

    ``key`` names the columns that tell one record: of all rows of a key the one of the latest delivery counts, or
    of the highest ``version`` (SQL over silver) where there is one. Without a key every row of the files that
    are current counts.
    """

    name: str
    files: str
    fields: tuple[Field, ...]
    delimiter: str = ";"
    encoding: str = "utf-8"
    decimal: str = ","
    issuer: str = ""
    role: str = ""
    once: bool = False
    bundle: Bundle | None = None
    key: tuple[str, ...] = ()
    version: str = ""
    derived: Mapping[str, DerivedColumn] = field(default_factory=dict)
    reversal: Reversal | None = None
    repeats: Repeats | None = None
    together: SetAggregate | None = None
    dated: tuple[DatedCodes, ...] = ()
    known: KnownPairs | None = None
    links: tuple[Links, ...] = ()
    same: Copies | None = None
    unless: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    facts: tuple[Facts, ...] = ()
    periods: tuple[Period, ...] = ()
    absences: tuple[Period, ...] = ()
    contacts: Contacts | None = None
    kin: Kin | None = None
    places: Places | None = None
    stay_cost: StayCost | None = None
    names: tuple[Names, ...] = ()

    @property
    def bronze(self) -> str:
        """Name of the bronze table."""
        return f"bronze.{self.name}"

    @property
    def silver(self) -> str:
        """Name of the silver table."""
        return f"silver.{self.name}"

    @property
    def fixed(self) -> bool:
        """Whether text files of the table are of fixed width, without header."""
        return any(each.span[1] for each in self.fields)

    def takes(self, path: PurePosixPath) -> bool:
        """Whether a file of the delivery belongs to this table."""
        return re.fullmatch(self.files, str(path).lower()) is not None

    def has(self, name: str) -> bool:
        """Whether the table has a field of that name."""
        return any(each.name == name for each in self.fields)


@dataclass(frozen=True)
class Source:
    """One source: its tables, the delivery format it belongs to, and how identifiers in it are to be read.

    ``identifier`` is ``"cpr"`` for Danish person numbers, else the kind of the foreign identifier, which is
    then unique within one data set only. ``death_code`` makes an event of each date of death among the facts.
    ``levels`` says that codes are mined at the platform's default level; else as they stand.
    Sources that it is delivered ``instead_of`` stay out of gold while this one is in the lake.
    """

    name: str
    format: str
    identifier: str
    tables: tuple[Table, ...]
    death_code: str = ""
    levels: bool = False
    instead_of: tuple[str, ...] = ()

    def tables_of(self, path: PurePosixPath) -> list[Table]:
        """The tables a file belongs to: one, or one for each kind of resource in a bundle."""
        return [table for table in self.tables if table.takes(path)]
