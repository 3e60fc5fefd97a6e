"""Contacts of private hospitals until 2019, reported through MiniPAS: the register's layout without clock times."""

from __future__ import annotations

from lakehouse.declarations.lpr2 import contacts, diagnoses, procedures
from lakehouse.declarations.schema import Source

SOURCE = Source(
    name="minipas",
    format="danish",
    identifier="cpr",
    tables=(
        contacts("minipas_adm", r"minipas_t_(psyk_)?adm"),
        diagnoses("minipas_diag", r"minipas_t_(psyk_)?diag"),
        procedures("minipas_sksopr", r"minipas_t_(psyk_)?sksopr"),
        procedures("minipas_sksube", r"minipas_t_(psyk_)?sksube"),
    ),
    levels=True,
)
