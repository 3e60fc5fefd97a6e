"""The operational side of the municipal record: visits, medicine given, measurements, and nursing homes."""

from __future__ import annotations

from lakehouse.declarations.helpers import moment, person, prefixed
from lakehouse.declarations.schema import DATED, FORMS, Event, Field, Source, Table, Type
from lakehouse.sources.eoj import FORM, HERE, one_id

PLACE = Field("place", Type.CODE, aliases=("sor", "enhed"), pattern=r"\d{6,}")


def files(name: str) -> str:
    """Where a table of the record may lie."""
    return rf"(.*/)?eoj/{DATED}{name}(_?\d{{4}})?{FORMS}"


VISITS = Table(
    name="eoj_visits",
    files=files("besog"),
    encoding="cp1252",
    fields=(
        person(),
        PLACE,
        Field("planned_at", Type.TIMESTAMP, aliases=("planlagt_start",)),
        Field("started_at", Type.TIMESTAMP, aliases=("faktisk_start",)),
        Field("minutes", Type.INTEGER, aliases=("minutter",)),
        Field("staff", Type.CODE, aliases=("personalegruppe",), required=False),
        Field("service", Type.CODE, aliases=("ydelse",), filled=True, pattern=FORM),
        Field("outcome", Type.CODE, aliases=("status",), filled=True, pattern=r"UDFØRT|AFLYST|IKKE_HJEMME"),
    ),
    events=(
        Event(
            {
                "time_start": "coalesce(row.started_at, row.planned_at)",
                "time_precision": "'minute'",
                "domain": "'procedure'",
                "code_system": "'FSIII'",
                "code_raw": "row.service",
                "code": prefixed("FSIII", one_id("row.service")),
                "quantity": "row.minutes",
                "place": "row.place",
                "setting": HERE,
                "status": "CASE WHEN row.outcome = 'UDFØRT' THEN 'active' ELSE 'cancelled' END",
            }
        ),
    ),
)
MEDICATION = Table(
    name="eoj_medication",
    files=files("medicingivning"),
    encoding="cp1252",
    fields=(
        person(),
        PLACE,
        Field("order_id", Type.KEY, aliases=("ordination",), required=False, domain="medication_order"),
        Field("given_at", Type.TIMESTAMP, aliases=("tidspunkt",), filled=True),
        Field("atc", Type.CODE, filled=True, pattern=r"[A-V](\d{2}([A-Z]([A-Z](\d{2})?)?)?)?"),
        Field("outcome", Type.CODE, aliases=("status",), filled=True, pattern=r"GIVET|IKKE_GIVET|AFVIST"),
    ),
    events=(
        Event(
            {
                "time_start": "row.given_at",
                "time_precision": "'minute'",
                "domain": "'medicine'",
                "code_system": "'ATC'",
                "code_raw": "row.atc",
                "code": prefixed("ATC", "row.atc"),
                "code_role": "'administration'",
                "place": "row.place",
                "setting": HERE,
                "status": "CASE WHEN row.outcome = 'GIVET' THEN 'active' ELSE 'not_given' END",
            }
        ),
    ),
)
MEASUREMENTS = Table(
    name="eoj_measurements",
    files=files("maaling"),
    encoding="cp1252",
    fields=(
        person(),
        PLACE,
        Field("measured_at", Type.TIMESTAMP, aliases=("tidspunkt",), filled=True),
        Field("analysis", Type.CODE, aliases=("npu",), filled=True, pattern=r"(NPU|DNK)\d{5}"),
        Field("value", Type.NUMBER, aliases=("vaerdi",), filled=True),
        Field("unit", aliases=("enhed_maal",), required=False),
    ),
    events=(
        Event(
            {
                "time_start": "row.measured_at",
                "time_precision": "'minute'",
                "domain": "'measurement'",
                "code_system": "'NPU'",
                "code_raw": "row.analysis",
                "code": prefixed("NPU", "row.analysis"),
                "value_num": "row.value",
                "value_op": "'='",
                "unit": "row.unit",
                "place": "row.place",
                "setting": HERE,
            }
        ),
    ),
)
HOUSING = Table(
    name="eoj_housing",
    files=files("bolig"),
    encoding="cp1252",
    once=True,
    fields=(
        person(),
        PLACE,
        Field(
            "kind", Type.CODE, aliases=("boligtype",), filled=True, pattern=r"PLEJEHJEM|PLEJEBOLIG|AFLASTNING"
        ),
        Field("moved_in", Type.DATE, aliases=("fra",), filled=True),
        Field("moved_out", Type.DATE, aliases=("til",)),
    ),
    events=(
        Event(
            {
                "time_start": moment("moved_in"),
                "time_end": moment("moved_out"),
                "domain": "'housing'",
                "code_system": "'EOJ'",
                "code_raw": "row.kind",
                "code": prefixed("EOJ", "row.kind"),
                "place": "row.place",
                "setting": HERE,
            }
        ),
    ),
)
SOURCE = Source(
    name="eoj_operations",
    format="danish",
    identifier="cpr",
    tables=(VISITS, MEDICATION, MEASUREMENTS, HOUSING),
    levels=True,
)
