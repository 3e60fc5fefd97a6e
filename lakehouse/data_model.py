"""What a gold table is: names, columns, types and meanings; the declarations every reader shares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class Setting(IntEnum):
    """Where care was given, in the order that decides between records of one code on one day."""

    UNKNOWN = -1
    INPATIENT = 0
    OUTPATIENT = 1
    EMERGENCY = 2
    PRIMARY_CARE = 3
    PHARMACY = 4
    LABORATORY = 5
    MUNICIPAL = 6
    REGISTER = 7


class Sex(IntEnum):
    """Sex as in the register at the time, as the small integer of ``gold.timeline``."""

    UNKNOWN = 0
    FEMALE = 1
    MALE = 2


@dataclass(frozen=True)
class Column:
    """One column: Spark SQL type, meaning with unit, and whether it tells a person from others."""

    name: str
    type: str
    about: str
    identifying: bool = False


@dataclass(frozen=True)
class Table:
    """A gold table; ``keep_statistics`` names the only columns whose min/max may stand in Delta's log."""

    name: str
    about: str
    columns: tuple[Column, ...]
    keep_statistics: tuple[str, ...] = ()

    @property
    def ddl(self) -> str:
        """Schema as Spark reads it."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(column.name for column in self.columns)


PERSON_ID = Column(
    "person_id", "STRING", "Lake pseudonym: version byte and 128 bits, in hex.", identifying=True
)

GOLD: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "gold.person",
            "One row a person.",
            (
                PERSON_ID,
                Column("sex", "STRING", "F, M or U, from the register."),
                Column("birth_date", "DATE", "Date of birth.", identifying=True),
                Column("birth_year", "SMALLINT", "Calendar year of birth."),
                Column(
                    "municipality", "STRING", "Municipality of residence, three digits.", identifying=True
                ),
                Column("region", "STRING", "Region of residence, four digits."),
                Column("death_date", "DATE", "Date of death, null while alive.", identifying=True),
                Column("source", "STRING", "Source the person came from."),
                Column(
                    "quality", "STRING", "Flags, commas between: how the number was read, sexes_differ, …"
                ),
            ),
        ),
        Table(
            "gold.event",
            "One row for everything that happened to a person, with the place of treatment on every row.",
            (
                PERSON_ID,
                Column("time_start", "TIMESTAMP_NTZ", "Start, local time."),
                Column("time_end", "TIMESTAMP_NTZ", "End, local time; null when open or a point in time."),
                Column("time_precision", "STRING", "minute, day, week or year."),
                Column("day", "INT", "Days from 1970-01-01 to the start."),
                Column("domain", "STRING", "diagnosis, procedure, medicine, laboratory, contact, death, …"),
                Column("code_system", "STRING", "ICD10, SKS, ATC, NPU, …"),
                Column("code_raw", "STRING", "Code as delivered."),
                Column("code", "STRING", "Normalised code, written system//code."),
                Column("code_role", "STRING", "main, secondary, addon, referral, …"),
                Column("encounter_id", "STRING", "Token of the contact the row belongs to."),
                Column("value_num", "DOUBLE", "Numeric value, in `unit`."),
                Column("value_op", "STRING", "=, < or >."),
                Column("value_text", "STRING", "Value that is a word."),
                Column("unit", "STRING", "UCUM unit."),
                Column("flag", "STRING", "H, L or N against the reference interval of the laboratory."),
                Column(
                    "quantity", "DOUBLE", "Amount: defined daily doses of a dispensing, services of a line."
                ),
                Column("cost_dkk", "DOUBLE", "Cost, Danish kroner."),
                Column("place", "STRING", "Place of treatment as coded at the time."),
                Column("setting", "TINYINT", "lakehouse.data_model.Setting."),
                Column(
                    "status", "STRING", "active, planned, cancelled, refuted, reversed, open, superseded."
                ),
                Column(
                    "quality", "STRING", "Flags, commas between: before_birth, after_death, …; mostly null."
                ),
                Column("source", "STRING", "Source system."),
                Column("source_table", "STRING", "Table of the delivery."),
                Column("file_id", "STRING", "File the row came from: first 16 hex digits of its SHA-256."),
                Column("row_number", "BIGINT", "Row in that file, from 1."),
            ),
            keep_statistics=("day",),
        ),
        Table(
            "gold.observation_period",
            "Spans in which a person's care would be seen: residence cut by source coverage.",
            (
                PERSON_ID,
                Column("start_day", "INT", "First day, days from 1970-01-01."),
                Column("end_day", "INT", "Last day, days from 1970-01-01."),
            ),
        ),
        Table(
            "gold.spell",
            "Hospital stays: contacts at most 4 hours apart chained; 12 hours or longer is an admission.",
            (
                PERSON_ID,
                Column("spell_id", "STRING", "Token of the stay."),
                Column("time_start", "TIMESTAMP_NTZ", "Start of the first contact."),
                Column("time_end", "TIMESTAMP_NTZ", "End of the last contact."),
                Column("contacts", "INT", "Contacts chained."),
                Column("hours", "DOUBLE", "Length, hours."),
                Column("setting", "TINYINT", "lakehouse.data_model.Setting."),
                Column("place", "STRING", "Place of the first contact."),
                Column(
                    "cost_dkk",
                    "DOUBLE",
                    "Value of its contacts' groups, Danish kroner; null where none has one.",
                ),
            ),
        ),
        Table(
            "gold.course",
            "Courses of care across sectors: contacts anywhere, chained while at most 30 days lie between.",
            (
                PERSON_ID,
                Column("start_day", "INT", "Day of the first contact, days from 1970-01-01."),
                Column("end_day", "INT", "Last day of the last contact, days from 1970-01-01."),
                Column(
                    "sectors",
                    "STRING",
                    "Sectors that took part, commas between: hospital, municipality, practice.",
                ),
                Column("first_sector", "STRING", "Sector of the first contact."),
                Column("last_sector", "STRING", "Sector of the last contact."),
                Column("contacts", "INT", "Days with a contact, counted in each sector."),
                Column("handovers", "INT", "Changes of sector from one contact to the next."),
                Column("model", "STRING", "How contacts were chained (lakehouse.gold.courses)."),
            ),
        ),
        Table(
            "gold.place",
            "Places of treatment, one row a code and span of validity: codes are closed, merged and used again.",
            (
                Column("place", "STRING", "Code as in gold.event.place."),
                Column("place_system", "STRING", "SOR or SHAK."),
                Column("parent", "STRING", "Code of the unit above."),
                Column("name", "STRING", "Name in that span."),
                Column("kind", "STRING", "Kind of unit, as the register says."),
                Column("institution", "STRING", "Hospital or other institution it belongs to."),
                Column("specialty", "STRING", "Main specialty."),
                Column("shak", "STRING", "SHAK code of a SOR unit."),
                Column("provider", "STRING", "Provider number of a practice."),
                Column("region", "STRING", "Region, four digits, as in the register."),
                Column("valid_from", "DATE", "First day; null when unknown."),
                Column("valid_to", "DATE", "Last day; null while open."),
            ),
        ),
        Table(
            "gold.exposure",
            "Periods under a medicine, estimated from dispensings by the model named in each row.",
            (
                PERSON_ID,
                Column("code", "STRING", "system//code of the medicine, as in gold.event."),
                Column("start_day", "INT", "First day, days from 1970-01-01."),
                Column("end_day", "INT", "Last day covered, days from 1970-01-01."),
                Column("dispensings", "INT", "Dispensings in the period."),
                Column("ddd", "DOUBLE", "Defined daily doses dispensed in it."),
                Column("model", "STRING", "How the period was estimated (lakehouse.gold.exposure_periods)."),
            ),
        ),
        Table(
            "gold.vocabulary",
            "Dense integer codes and what they stand for.",
            (
                Column("code_id", "INT", "Dense, from 0, in the order of `code`."),
                Column("code", "STRING", "system//code at full depth."),
                Column("domain", "STRING", "As in gold.event."),
                Column("code_system", "STRING", "As in gold.event."),
                Column("text", "STRING", "Name, where a source gives one."),
                Column("level", "STRING", "The code it is mined as by default: ICD-10 3 characters, ATC 5."),
            ),
            keep_statistics=("code_id",),
        ),
        Table(
            "gold.timeline",
            "One row a person: the distinct (day, code) in order of day then code, as lists; what mining reads.",
            (
                PERSON_ID,
                Column("split", "SMALLINT", "Keyed hash of the person, 0 to 1023: fixes the locked half."),
                Column("sex", "TINYINT", "lakehouse.data_model.Sex."),
                Column("birth_year", "SMALLINT", "Calendar year of birth."),
                Column("first_day", "INT", "First day in `day`."),
                Column("last_day", "INT", "Last day in `day`."),
                Column("code", "ARRAY<INT>", "gold.vocabulary.code_id of each event."),
                Column("day", "ARRAY<INT>", "Day of each event, days from 1970-01-01, ascending."),
                Column("setting", "ARRAY<TINYINT>", "First Setting among the day's records of the code."),
            ),
            keep_statistics=("sex", "birth_year"),
        ),
    )
}
