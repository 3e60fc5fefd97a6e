"""Hospital stays: contacts chained across at most four hours; twelve hours or longer is an admission."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.data_model import Setting
from lakehouse.declarations.schema import Contacts
from lakehouse.gold.chaining import numbered

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GAP = "INTERVAL 4 HOURS"
ADMISSION_HOURS = 12
ENCOUNTER = """
person_id STRING, contact_id STRING, time_start TIMESTAMP_NTZ, time_end TIMESTAMP_NTZ, time_precision STRING,
acute BOOLEAN, place STRING, spell_id STRING, spell_start TIMESTAMP_NTZ, spell_end TIMESTAMP_NTZ,
spell_contacts INT, hours DOUBLE, first BOOLEAN, setting TINYINT, superseded BOOLEAN, source STRING,
source_table STRING, file_id STRING, row_number BIGINT
"""
"""Schema of ``silver.encounter``: one row a contact, with the stay it belongs to and the setting it had."""


def contact_rows(
    rows: DataFrame, declared: Contacts, source: str, table: str, superseded: str = "false"
) -> DataFrame:
    """Contacts of one table in common columns, with the day they were ``delivered``.

    ``superseded`` is SQL for those that another source delivers too.
    """
    return rows.selectExpr(
        "person_id",
        f"{declared.contact} AS contact_id",
        f"{declared.start} AS time_start",
        f"{declared.end} AS time_end",
        f"{declared.precision} AS time_precision",
        f"{declared.acute} AS acute",
        f"{declared.place} AS place",
        f"CAST({declared.setting or 'NULL'} AS TINYINT) AS known_setting",
        f"coalesce({superseded}, false) AS superseded",
        f"'{source}' AS source",
        f"'{table}' AS source_table",
        "file_id",
        "row_number",
        "delivered",
    )


def latest_of_contact(rows: DataFrame) -> DataFrame:
    """Of several rows of one contact of a table the latest delivery counts."""
    latest = (
        "row_number() OVER (PARTITION BY contact_id ORDER BY delivered DESC NULLS LAST, "
        "xxhash64(person_id, time_start, time_end, acute, place), file_id, row_number)"
    )
    return rows.selectExpr("*", f"{latest} AS recency").where("recency = 1").drop("recency")


ALONE = f"superseded OR coalesce(known_setting = {Setting.OUTPATIENT:d}, false)"
"""Contacts that are no part of any stay: out-patient courses by their register's own word, and doubles."""


def chain(contacts: DataFrame, alone: bool) -> DataFrame:
    """Contacts with their stay; ``alone`` says that some are no part of any."""
    if not alone:
        return chained(contacts)
    own = contacts.where(ALONE).selectExpr(
        "*",
        "contact_id AS spell_id",
        "time_start AS spell_start",
        "greatest(time_start, coalesce(time_end, time_start)) AS spell_end",
        "1 AS spell_contacts",
    )
    return chained(contacts.where(f"NOT ({ALONE})")).unionByName(with_setting(own))


def chained(contacts: DataFrame) -> DataFrame:
    """Contacts with their stay, its length and the setting that follows from it (columns of ``ENCOUNTER``).

    Danish registers since 2019 do not say who was admitted: a person's contacts with gaps of at most 4 hours
    form one stay, and a stay of 12 hours or longer is an admission. Shorter acute contacts are emergency
    contacts, all others out-patient ones. An open contact counts as long as is known: its start.
    """
    order = "time_start, coalesce(time_end, time_start), contact_id"
    so_far = f"PARTITION BY person_id ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    begins = f"reached IS NULL OR time_start > reached + {GAP}"
    stay = "PARTITION BY person_id, number"
    known_end = "greatest(time_start, coalesce(time_end, time_start))"
    whole = (
        numbered(contacts, "person_id", order, "time_start", known_end, GAP)
        .selectExpr(
            "*",
            f"last_value(CASE WHEN {begins} THEN time_start END, true) OVER ({so_far}) AS spell_start",
            f"last_value(CASE WHEN {begins} THEN contact_id END, true) OVER ({so_far}) AS spell_id",
        )
        .selectExpr(
            "*",
            f"max({known_end}) OVER ({stay}) AS spell_end",
            f"CAST(count(*) OVER ({stay}) AS INT) AS spell_contacts",
        )
    )
    admitted = f"min(known_setting) OVER ({stay}) = {Setting.INPATIENT:d}"
    return with_setting(whole, admitted)


def with_setting(whole: DataFrame, admitted: str = "false") -> DataFrame:
    """Columns of ``ENCOUNTER``: the register's own word on the setting outranks the length of the stay."""
    hours = "CAST(timestampdiff(SECOND, spell_start, spell_end) AS DOUBLE) / 3600"
    return whole.selectExpr(
        "person_id",
        "contact_id",
        "time_start",
        "time_end",
        "time_precision",
        "acute",
        "place",
        "spell_id",
        "spell_start",
        "spell_end",
        "spell_contacts",
        f"{hours} AS hours",
        "contact_id = spell_id AS first",
        f"CAST(CASE WHEN {ALONE} THEN coalesce(known_setting, {Setting.OUTPATIENT:d}) "
        f"WHEN {admitted} OR {hours} >= {ADMISSION_HOURS} THEN {Setting.INPATIENT:d} "
        f"WHEN acute THEN {Setting.EMERGENCY:d} ELSE {Setting.OUTPATIENT:d} END AS TINYINT) AS setting",
        "superseded",
        "source",
        "source_table",
        "file_id",
        "row_number",
    )


def spells(encounters: DataFrame, costs: DataFrame | None = None) -> DataFrame:
    """Columns of ``gold.spell``: one row a stay, told by its first contact, with what its contacts cost."""
    from pyspark.sql import functions

    first = encounters.where("first AND NOT superseded")
    if costs is None:
        first = first.withColumn("cost_dkk", functions.lit(None).cast("double"))
    else:
        of_stay = (
            encounters.where("NOT superseded")
            .select("spell_id", "contact_id")
            .join(costs, "contact_id")
            .groupBy("spell_id")
            .agg(functions.sum("cost_dkk").alias("cost_dkk"))
        )
        first = first.join(of_stay, "spell_id", "left")
    return first.selectExpr(
        "person_id",
        "spell_id",
        "spell_start AS time_start",
        "spell_end AS time_end",
        "spell_contacts AS contacts",
        "hours",
        "setting",
        "place",
        "cost_dkk",
    )


def contact_events(encounters: DataFrame) -> DataFrame:
    """Events of contacts, in columns of ``gold.event``: an admission at the start of a stay, an acute contact."""
    admission = encounters.where(f"first AND NOT superseded AND setting = {Setting.INPATIENT:d}").selectExpr(
        "*", "'LPR//ADMISSION' AS code", "spell_end AS until"
    )
    emergency = encounters.where(f"NOT superseded AND setting = {Setting.EMERGENCY:d}").selectExpr(
        "*", "'LPR//EMERGENCY' AS code", "time_end AS until"
    )
    return admission.unionByName(emergency).selectExpr(
        "person_id",
        "time_start",
        "until AS time_end",
        "time_precision",
        "'contact' AS domain",
        "'LPR' AS code_system",
        "code",
        "contact_id AS encounter_id",
        "place",
        "setting",
        "CASE WHEN until IS NULL THEN 'open' ELSE 'active' END AS status",
        "source",
        "source_table",
        "file_id",
        "row_number",
    )
