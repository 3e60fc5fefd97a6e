"""The tables of OMOP CDM 5.4 that an export fills: columns in order, their types, and which may not be empty.

Written from the field list of the Common Data Model, version 5.4 (https://ohdsi.github.io/CommonDataModel/cdm54.html).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

LENGTHS = {"v20": 20, "v50": 50, "v60": 60, "v255": 255, "v10": 10, "v1": 1, "v25": 25}


@dataclass(frozen=True)
class CdmColumn:
    """One column: ``i`` integer, ``n`` number, ``d`` date, ``t`` moment, ``v…`` text of at most so many characters."""

    name: str
    type: str
    required: bool


def columns(text: str) -> tuple[CdmColumn, ...]:
    """Columns from ``name:type`` words; ``!`` behind the type marks those that may not be empty."""
    parts = [word.partition(":") for word in text.split()]
    return tuple(CdmColumn(name, kind.rstrip("!"), kind.endswith("!")) for name, _, kind in parts)


VISIT = "provider_id:i visit_occurrence_id:i visit_detail_id:i"
TABLES: dict[str, tuple[CdmColumn, ...]] = {
    "person": columns(
        "person_id:i! gender_concept_id:i! year_of_birth:i! month_of_birth:i day_of_birth:i birth_datetime:t "
        "race_concept_id:i! ethnicity_concept_id:i! location_id:i provider_id:i care_site_id:i "
        "person_source_value:v50 gender_source_value:v50 gender_source_concept_id:i race_source_value:v50 "
        "race_source_concept_id:i ethnicity_source_value:v50 ethnicity_source_concept_id:i"
    ),
    "observation_period": columns(
        "observation_period_id:i! person_id:i! observation_period_start_date:d! observation_period_end_date:d! "
        "period_type_concept_id:i!"
    ),
    "visit_occurrence": columns(
        "visit_occurrence_id:i! person_id:i! visit_concept_id:i! visit_start_date:d! visit_start_datetime:t "
        "visit_end_date:d! visit_end_datetime:t visit_type_concept_id:i! provider_id:i care_site_id:i "
        "visit_source_value:v50 visit_source_concept_id:i admitted_from_concept_id:i "
        "admitted_from_source_value:v50 discharged_to_concept_id:i discharged_to_source_value:v50 "
        "preceding_visit_occurrence_id:i"
    ),
    "condition_occurrence": columns(
        "condition_occurrence_id:i! person_id:i! condition_concept_id:i! condition_start_date:d! "
        "condition_start_datetime:t condition_end_date:d condition_end_datetime:t condition_type_concept_id:i! "
        f"condition_status_concept_id:i stop_reason:v20 {VISIT} condition_source_value:v50 "
        "condition_source_concept_id:i condition_status_source_value:v50"
    ),
    "drug_exposure": columns(
        "drug_exposure_id:i! person_id:i! drug_concept_id:i! drug_exposure_start_date:d! "
        "drug_exposure_start_datetime:t drug_exposure_end_date:d! drug_exposure_end_datetime:t verbatim_end_date:d "
        "drug_type_concept_id:i! stop_reason:v20 refills:i quantity:n days_supply:i sig:v255 route_concept_id:i "
        f"lot_number:v50 {VISIT} drug_source_value:v50 drug_source_concept_id:i route_source_value:v50 "
        "dose_unit_source_value:v50"
    ),
    "procedure_occurrence": columns(
        "procedure_occurrence_id:i! person_id:i! procedure_concept_id:i! procedure_date:d! procedure_datetime:t "
        "procedure_end_date:d procedure_end_datetime:t procedure_type_concept_id:i! modifier_concept_id:i quantity:i "
        f"{VISIT} procedure_source_value:v50 procedure_source_concept_id:i modifier_source_value:v50"
    ),
    "measurement": columns(
        "measurement_id:i! person_id:i! measurement_concept_id:i! measurement_date:d! measurement_datetime:t "
        "measurement_time:v10 measurement_type_concept_id:i! operator_concept_id:i value_as_number:n "
        f"value_as_concept_id:i unit_concept_id:i range_low:n range_high:n {VISIT} measurement_source_value:v50 "
        "measurement_source_concept_id:i unit_source_value:v50 unit_source_concept_id:i value_source_value:v50 "
        "measurement_event_id:i meas_event_field_concept_id:i"
    ),
    "observation": columns(
        "observation_id:i! person_id:i! observation_concept_id:i! observation_date:d! observation_datetime:t "
        "observation_type_concept_id:i! value_as_number:n value_as_string:v60 value_as_concept_id:i "
        f"qualifier_concept_id:i unit_concept_id:i {VISIT} observation_source_value:v50 "
        "observation_source_concept_id:i unit_source_value:v50 qualifier_source_value:v50 value_source_value:v50 "
        "observation_event_id:i obs_event_field_concept_id:i"
    ),
    "death": columns(
        "person_id:i! death_date:d! death_datetime:t death_type_concept_id:i cause_concept_id:i "
        "cause_source_value:v50 cause_source_concept_id:i"
    ),
    "care_site": columns(
        "care_site_id:i! care_site_name:v255 place_of_service_concept_id:i location_id:i care_site_source_value:v50 "
        "place_of_service_source_value:v50"
    ),
    "concept": columns(
        "concept_id:i! concept_name:v255! domain_id:v20! vocabulary_id:v20! concept_class_id:v20! "
        "standard_concept:v1 concept_code:v50! valid_start_date:d! valid_end_date:d! invalid_reason:v1"
    ),
    "vocabulary": columns(
        "vocabulary_id:v20! vocabulary_name:v255! vocabulary_reference:v255 vocabulary_version:v255 "
        "vocabulary_concept_id:i!"
    ),
    "cdm_source": columns(
        "cdm_source_name:v255! cdm_source_abbreviation:v25! cdm_holder:v255! source_description:v255 "
        "source_documentation_reference:v255 cdm_etl_reference:v255 source_release_date:d! cdm_release_date:d! "
        "cdm_version:v10 cdm_version_concept_id:i! vocabulary_version:v20!"
    ),
}


def schema_of(table: str) -> pa.Schema:
    """The Arrow schema of a table; what may not be empty is not nullable."""
    import pyarrow as pa

    kinds = {"i": pa.int32(), "n": pa.float64(), "d": pa.date32(), "t": pa.timestamp("us")}
    return pa.schema(
        [pa.field(each.name, kinds.get(each.type, pa.string()), not each.required) for each in TABLES[table]]
    )
