"""The patient register until 2019: somatic and psychiatric contacts, and those that were not finished yet."""

from __future__ import annotations

from lakehouse.declarations.lpr2 import contacts, diagnoses, procedures, transfers, visits
from lakehouse.declarations.schema import Source

SOURCE = Source(
    name="lpr2",
    format="danish",
    identifier="cpr",
    tables=(
        contacts("lpr2_adm", r"(lpr2_mdl_)?(t|lpr)_adm"),
        diagnoses("lpr2_diag", r"(lpr2_mdl_)?(t|lpr)_diag"),
        procedures("lpr2_sksopr", r"(lpr2_mdl_)?(t|lpr)_sksopr"),
        procedures("lpr2_sksube", r"(lpr2_mdl_)?(t|lpr)_sksube"),
        visits("lpr2_bes", r"(lpr2_mdl_)?(t|lpr)_bes"),
        transfers("lpr2_udtilsgh", r"(lpr2_mdl_)?(t|lpr)_udtilsgh"),
        contacts("lpr2_psyk_adm", r"t_psyk_adm"),
        diagnoses("lpr2_psyk_diag", r"t_psyk_diag"),
        procedures("lpr2_psyk_sksube", r"t_psyk_sksube"),
        contacts("lpr2_uaf_adm", r"uaf_t_(psyk_)?adm", unfinished=True),
        diagnoses("lpr2_uaf_diag", r"uaf_t_(psyk_)?diag"),
        procedures("lpr2_uaf_sksube", r"uaf_t_(psyk_)?sksube"),
    ),
    levels=True,
)
