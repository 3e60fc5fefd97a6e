"""SKS, the classification of the health service: fixed width, every code with the days it may be used on."""

from __future__ import annotations

from lakehouse.declarations.schema import DATED, Field, Names, Source, Table, Type

DIAGNOSES = "register = 'dia' AND code RLIKE '^D[A-Z][0-9]{2}'"

CODES = Table(
    name="sks_codes",
    files=rf"(.*/)?sks/{DATED}skscomplete\.txt(\.gz)?",
    encoding="latin-1",
    role="sks",
    once=True,
    fields=(
        Field("register", span=(1, 3), filled=True, pattern=r"[a-z]{3}"),
        Field("code", Type.CODE, span=(4, 23), filled=True, pattern=r"[A-Z][A-Z0-9]{0,9}"),
        Field("valid_from", Type.DATE, span=(24, 31), filled=True),
        Field("changed_on", Type.DATE, span=(32, 39)),
        Field("valid_to", Type.DATE, span=(40, 47)),
        Field("text", span=(48, 167)),
        Field("level", Type.CODE, span=(168, 173), required=False),
    ),
    names=(
        Names(
            f"CASE WHEN {DIAGNOSES} THEN concat('ICD10//', substr(code, 2)) "
            "WHEN register <> 'atc' THEN concat('SKS//', code) END",
            "CASE WHEN valid_to IS NULL OR valid_to >= DATE'2500-01-01' THEN text END",
        ),
    ),
)
"""The key is register, code and first day: one code may stand in two registers and be used again later."""
SOURCE = Source(name="sks", format="danish", identifier="cpr", tables=(CODES,), levels=True)
