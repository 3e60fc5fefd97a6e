"""Research samples and variants: a manifest of samples, and what was found in them; sequence files stay outside."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.convert import NUMBER_FORMS
from lakehouse.declarations.helpers import moment, person, prefixed
from lakehouse.declarations.schema import DATED, FORMS, DerivedColumn, Event, Field, Join, Source, Table, Type


def fraction(text: str | None) -> float | None:
    """A share of reads, written with either decimal sign, bare or in per cent; None of a text that is no number."""
    bare = (text or "").replace("%", "").replace(",", ".").strip()
    if not NUMBER_FORMS["."].fullmatch(bare):
        return None
    return float(bare) / (100 if "%" in (text or "") else 1)


SAMPLES = Table(
    name="research_samples",
    files=rf"(.*/)?forskning/{DATED}(samples|proever)(_?\d{{4}})?{FORMS}",
    role="sample",
    once=True,
    fields=(
        person(also=("patientid",)),
        Field("sample_id", Type.KEY, filled=True, domain="sample"),
        Field("biobank", Type.CODE, filled=True),
        Field("material", Type.CODE, filled=True, pattern=r"[A-Z0-9_]{2,20}"),
        Field("box", Type.CODE, required=False),
        Field("position", Type.CODE, required=False),
        Field("taken_on", Type.DATE, aliases=("date", "dato"), filled=True),
        Field("alias", Type.KEY, required=False, domain="sample"),
        Field("consent", Type.CODE, aliases=("project", "projekt"), required=False),
    ),
    events=(
        Event(
            {
                "time_start": moment("taken_on"),
                "domain": "'sample'",
                "code_system": "'SAMPLE'",
                "code_raw": "row.material",
                "code": prefixed("SAMPLE", "row.material"),
                "value_text": "row.consent",
                "place": "row.biobank",
                "setting": f"{Setting.LABORATORY:d}",
            }
        ),
    ),
)
VARIANTS = Table(
    name="research_variants",
    files=rf"(.*/)?forskning/{DATED}(variants|varianter)(_?\d{{4}})?{FORMS}",
    once=True,
    fields=(
        Field("sample_id", Type.KEY, aliases=("sample_no",), filled=True, domain="sample"),
        Field("gene", Type.CODE, filled=True, pattern=r"[A-Z0-9-]{2,20}"),
        Field("transcript", aliases=("transcript_id",), required=False),
        Field("g_change", aliases=("g.code",), required=False),
        Field("c_change", aliases=("c.code",), required=False),
        Field("p_change", aliases=("p.code",), required=False),
        Field("exon", required=False),
        Field("vaf"),
        Field("count", Type.INTEGER, required=False),
        Field("coverage", Type.INTEGER, required=False),
    ),
    derived={
        "fraction": DerivedColumn(Type.NUMBER, ("vaf",), fraction),
    },
    events=(
        Event(
            {
                "person_id": "sample.person_id",
                "time_start": "CAST(sample.taken_on AS TIMESTAMP_NTZ)",
                "domain": "'variant'",
                "code_system": "'VARIANT'",
                "code_raw": "row.gene",
                "code": prefixed("VARIANT", "row.gene"),
                "value_num": "row.fraction",
                "value_text": "row.p_change",
                "place": "sample.biobank",
                "setting": f"{Setting.LABORATORY:d}",
            },
            joins=(Join("sample", "sample_id", "sample_id"),),
        ),
    ),
)
SOURCE = Source(name="research", format="danish", identifier="cpr", tables=(SAMPLES, VARIANTS), levels=True)
