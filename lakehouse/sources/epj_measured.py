"""What the hospital record of an Epic-based region measured: laboratory results and vital signs, by the names shown."""

from __future__ import annotations

from lakehouse.declarations.hospital import loose, precision_of
from lakehouse.declarations.laboratory import result_columns, result_event
from lakehouse.declarations.schema import Copies, DerivedColumn, Field, Source, Table, Type
from lakehouse.sources.epj import PATIENT, event, files, stamp

VITALS = {
    "BLODTRYK SYSTOLISK": ("DNK05472", "mm[Hg]"),
    "BLODTRYK DIASTOLISK": ("DNK05473", "mm[Hg]"),
    "PULS": ("NPU21692", "/min"),
    "SATURATION": ("NPU27280", "%"),
    "TEMPERATUR": ("NPU08676", "Cel"),
    "VÆGT": ("NPU03804", "kg"),
    "HØJDE": ("NPU03794", "cm"),
}
"""Codes and units of the vital signs by the name they are shown under."""
COMPONENTS = {
    "P-KREATININ": "NPU18016",
    "B-HÆMOGLOBIN": "NPU02319",
    "P-NATRIUM": "NPU03429",
    "P-KALIUM": "NPU03230",
    "P-CRP": "NPU19748",
    "B-LEUKOCYTTER": "NPU02593",
    "B-HBA1C": "NPU27300",
    "P-ALAT": "NPU19651",
}
"""Codes of laboratory results by component: the extract has none."""


def chosen(text: str, names: dict[str, str]) -> str:
    """SQL of a word's code."""
    whens = " ".join(f"WHEN '{name}' THEN '{code}'" for name, code in names.items())
    return f"CASE upper({text}) {whens} END"


def analysis(component: str | None) -> str | None:
    """The code of a component, where it has one; else its name."""
    return component and COMPONENTS.get(component.upper(), component.upper())


def unit_key(component: str | None, unit: str | None) -> str | None:
    """What the list of units is keyed by; nothing for a component without a code."""
    code = component and COMPONENTS.get(component.upper())
    return f"{code}|{unit or ''}" if code else None


RESULTS = Table(
    name="epj_results",
    files=files("alle(pr[øo]|proe)vesvar"),
    once=True,
    fields=(
        PATIENT,
        Field("procedure", aliases=("proc_name",), required=False),
        Field("component", filled=True),
        stamp("sampled_at", "specimn_taken_time", filled=True),
        stamp("resulted_at", "result_time"),
        Field("value", aliases=("ord_value",), filled=True),
        Field("operator", required=False),
        Field("unit", aliases=("reference_unit",), required=False),
        Field("reference_low", required=False),
        Field("reference_high", required=False),
        loose("laboratory", "resulting_lab"),
    ),
    same=Copies("laboratory", "4"),
    derived={"analysis": DerivedColumn(Type.TEXT, ("component",), analysis)}
    | result_columns("component", unit_key),
    events=(
        result_event(
            "row.sampled_at",
            precision_of("row.sampled_at"),
            f"CASE WHEN {chosen('row.component', COMPONENTS)} IS NOT NULL THEN 'NPU' ELSE 'EPJ' END",
            f"coalesce(concat('NPU//', {chosen('row.component', COMPONENTS)}), concat('EPJ//', row.analysis))",
        ),
    ),
)
SIGNS = Table(
    name="epj_vitals",
    files=files("vitale(v[æa]|vae)rdier"),
    once=True,
    fields=(
        PATIENT,
        Field("name", aliases=("displayname",), filled=True),
        stamp("at", "recorded_time", filled=True),
        Field("value", aliases=("meas_value",), required=False),
        Field("number", Type.NUMBER, aliases=("numericvalue",), required=False),
        loose("measure", "flo_meas_id"),
        Field("accepted", Type.CODE, aliases=("isaccepted_yn",), required=False, values={"Y": "Y", "N": "N"}),
        loose("template", "template_name", type=Type.TEXT),
    ),
    events=(
        event(
            "row.at",
            "vital_sign",
            f"CASE WHEN {chosen('row.name', {k: v[0] for k, v in VITALS.items()})} IS NULL THEN 'EPJ' ELSE 'NPU' END",
            f"coalesce(concat('NPU//', {chosen('row.name', {k: v[0] for k, v in VITALS.items()})}), "
            "concat('EPJ//', upper(row.name)))",
            code_raw="row.name",
            code_role="'result'",
            value_num="row.number",
            value_op="CASE WHEN row.number IS NOT NULL THEN '=' END",
            value_text="CASE WHEN row.number IS NULL THEN row.value END",
            unit=chosen("row.name", {k: v[1] for k, v in VITALS.items()}),
            status="CASE WHEN row.accepted = 'N' THEN 'entered_in_error' ELSE 'active' END",
        ),
    ),
)
SOURCE = Source(name="epj_measured", format="danish", identifier="cpr", tables=(RESULTS, SIGNS), levels=True)
