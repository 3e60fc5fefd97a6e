"""OMOP CDM 5.3 and 5.4 folders: CSV (also gzipped) or Parquet, one file or one folder of parts a table."""

from __future__ import annotations

from lakehouse.declarations.schema import Event, Facts, Field, Join, Names, Period, Source, Table, Type

DAY = "CASE WHEN {0} IS NOT NULL THEN CAST({0} AS TIMESTAMP_NTZ) END"
SETTING = "CASE visit.concept_id WHEN '9201' THEN 0 WHEN '262' THEN 0 WHEN '9202' THEN 1 WHEN '9203' THEN 2 ELSE -1 END"
"""lakehouse.data_model.Setting of a visit concept; -1 where the row names no visit that is there."""
FLAG = (
    "CASE WHEN row.value_as_number IS NULL OR (row.range_low IS NULL AND row.range_high IS NULL) THEN NULL "
    "WHEN row.value_as_number > row.range_high THEN 'H' WHEN row.value_as_number < row.range_low THEN 'L' ELSE 'N' END"
)


def files(name: str) -> str:
    """Where the rows of an OMOP table may lie."""
    return rf"(.*/)?{name}(\.csv(\.gz)?|\.parquet|(\.parquet)?/[^/]+\.parquet)"


def clinical(
    name: str,
    domain: str,
    extra: tuple[Field, ...] = (),
    columns: dict[str, str] | None = None,
    *,
    end: bool = False,
) -> Table:
    """A clinical table: rows ``<domain>_concept_id`` at ``<domain>_date``, written as the concept's own code.

    A row without a standard concept (0) keeps its source value under the domain's name; a concept that the
    folder's concept table lacks keeps its id there.
    """
    prefix = {
        "condition_occurrence": "condition",
        "procedure_occurrence": "procedure",
        "visit_occurrence": "visit",
    }
    stem = prefix.get(name, name)
    dated = f"{stem}_start" if end or stem in ("condition", "visit", "drug_exposure") else stem
    concept = "drug_concept_id" if name == "drug_exposure" else f"{stem}_concept_id"
    source_value = "drug_source_value" if name == "drug_exposure" else f"{stem}_source_value"
    fields = [
        Field("person_id", Type.PERSON, filled=True),
        Field("concept_id", Type.VERBATIM, aliases=(concept,), filled=True),
        Field("start_date", Type.DATE, aliases=(f"{dated}_date",), filled=True),
        Field("start_time", Type.TIMESTAMP, aliases=(f"{dated}_datetime",), required=False),
        Field("source_value", Type.VERBATIM, aliases=(source_value,), required=False),
        Field(
            "visit_id",
            Type.KEY,
            aliases=("visit_occurrence_id",),
            domain="contact",
            required=name == "visit_occurrence",
        ),
    ]
    if end:
        fields.append(Field("end_date", Type.DATE, aliases=(f"{stem}_end_date",), required=False))
    fallback = (
        f"CASE WHEN row.concept_id = '0' AND row.source_value IS NOT NULL THEN concat('{domain}//', row.source_value) "
        f"ELSE concat('{domain}//', row.concept_id) END"
    )
    given = {
        "time_start": "coalesce(row.start_time, CAST(row.start_date AS TIMESTAMP_NTZ))",
        "time_end": "CAST(row.end_date AS TIMESTAMP_NTZ)" if end else "NULL",
        "time_precision": "CASE WHEN row.start_time > CAST(row.start_date AS TIMESTAMP_NTZ) THEN 'minute' ELSE 'day' END",
        "domain": f"'{domain.lower()}'",
        "code_system": f"coalesce(concept.vocabulary_id, '{domain}')",
        "code_raw": "row.concept_id",
        "code": f"coalesce(concat(concept.vocabulary_id, '//', concept.concept_code), {fallback})",
        "encounter_id": "row.visit_id",
        "setting": SETTING,
    } | (columns or {})
    joins = (Join("concept", "concept_id", "concept_id"), Join("visit", "visit_id", "visit_id"))
    return Table(
        name=f"omop_{name}",
        files=files(name),
        delimiter=",",
        decimal=".",
        fields=(*fields, *extra),
        role="visit" if name == "visit_occurrence" else "",
        events=(Event(given, joins=joins),),
    )


PERSON = Table(
    name="omop_person",
    files=files("person"),
    delimiter=",",
    decimal=".",
    fields=(
        Field("person_id", Type.PERSON, filled=True),
        Field("gender_concept_id", Type.VERBATIM),
        Field("year_of_birth", Type.INTEGER, filled=True),
        Field("month_of_birth", Type.INTEGER, required=False),
        Field("day_of_birth", Type.INTEGER, required=False),
    ),
    facts=(
        Facts(
            {
                "sex": "CASE gender_concept_id WHEN '8532' THEN 'F' WHEN '8507' THEN 'M' END",
                "birth_year": "year_of_birth",
                "birth_date": "try_cast(format_string('%04d-%02d-%02d', year_of_birth, month_of_birth, "
                "day_of_birth) AS DATE)",
            }
        ),
    ),
)
DEATH = Table(
    name="omop_death",
    files=files("death"),
    delimiter=",",
    decimal=".",
    fields=(
        Field("person_id", Type.PERSON, filled=True),
        Field("death_date", Type.DATE, filled=True),
    ),
    facts=(Facts({"death_date": "death_date"}),),
)
CONCEPT = Table(
    name="omop_concept",
    files=files("concept"),
    delimiter=",",
    decimal=".",
    fields=(
        Field("concept_id", Type.VERBATIM, filled=True),
        Field("concept_name", Type.TEXT),
        Field("vocabulary_id", Type.VERBATIM, filled=True),
        Field("concept_code", Type.VERBATIM, filled=True),
    ),
    role="concept",
    names=(Names("concat(vocabulary_id, '//', concept_code)", "concept_name"),),
)
OBSERVATION_PERIOD = Table(
    name="omop_observation_period",
    files=files("observation_period"),
    delimiter=",",
    decimal=".",
    fields=(
        Field("person_id", Type.PERSON, filled=True),
        Field("start_date", Type.DATE, aliases=("observation_period_start_date",), filled=True),
        Field("end_date", Type.DATE, aliases=("observation_period_end_date",), filled=True),
    ),
    periods=(Period("start_date", "end_date"),),
)
MEASURED = (
    Field("value_as_number", Type.NUMBER, required=False),
    Field("range_low", Type.NUMBER, required=False),
    Field("range_high", Type.NUMBER, required=False),
    Field("unit", aliases=("unit_source_value",), required=False),
)
SOURCE = Source(
    name="omop",
    format="omop",
    identifier="omop",
    death_code="OMOP//DEATH",
    tables=(
        PERSON,
        DEATH,
        CONCEPT,
        OBSERVATION_PERIOD,
        clinical("condition_occurrence", "Condition", columns={"code_role": "'main'"}, end=True),
        clinical("drug_exposure", "Drug", end=True),
        clinical("procedure_occurrence", "Procedure"),
        clinical(
            "measurement",
            "Measurement",
            MEASURED,
            {"value_num": "row.value_as_number", "unit": "row.unit", "flag": FLAG, "value_op": "'='"},
        ),
        clinical(
            "observation",
            "Observation",
            (
                Field("value_as_number", Type.NUMBER, required=False),
                Field("value_as_string", Type.TEXT, required=False),
            ),
            {"value_num": "row.value_as_number", "value_text": "row.value_as_string"},
        ),
        clinical("visit_occurrence", "Visit", columns={"domain": "'contact'"}, end=True),
    ),
)
