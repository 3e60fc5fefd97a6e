"""The files of a Danish delivery: names, columns in order and encodings."""

from __future__ import annotations

from dataclasses import dataclass

ENDINGS = {"csv": ".csv", "fixed": ".txt", "parquet": ".parquet", "sas": ".sas7bdat", "raw": ""}
"""Usual ending of a file's name by its form."""


@dataclass(frozen=True)
class FileKind:
    """One kind of file. ``yearly`` files carry the year in their name; ``bom`` starts them with a byte order mark.

    ``form`` is ``csv``, ``fixed`` (text in columns of ``widths`` characters, without a header), ``parquet``, ``sas``, or
    ``raw`` (bytes as the source gives them). ``ending`` replaces the form's usual one; ``loud`` means a
    header in capitals.
    """

    folder: str
    stem: str
    encoding: str
    columns: tuple[str, ...]
    yearly: bool = False
    bom: bool = False
    form: str = "csv"
    delimiter: str = ";"
    widths: tuple[int, ...] = ()
    ending: str = ""
    loud: bool = False

    def path(self, year: int | None = None) -> str:
        """Path inside the delivery."""
        name = f"{self.stem}_{year}" if self.yearly else self.stem
        return f"{self.folder}/{name}{self.ending or ENDINGS[self.form]}"

    def header(self) -> bytes:
        """First bytes of the file: byte order mark where there is one, and the column names."""
        if self.form != "csv":
            return b""
        mark = b"\xef\xbb\xbf" if self.bom else b""
        names = [name.upper() for name in self.columns] if self.loud else self.columns
        return mark + self.delimiter.join(names).encode(self.encoding) + b"\n"


def columns(text: str) -> tuple[str, ...]:
    """Column names from a line of text."""
    return tuple(text.split())


PROCEDURE_COLUMNS = columns(
    "procedureregistrering_id dw_ek_kontakt dw_ek_forloeb procedurekode proceduretype procedurekode_parent "
    "sorenhed_pro dato_start tidspunkt_start"
)

KINDS: dict[str, FileKind] = {
    "person": FileKind(
        "cpr",
        "cpr3_t_person",
        "utf-8",
        columns("v_pnr c_kon c_status d_foddato d_status_hen_start v_mor_pnr v_far_pnr kom kom_fra"),
        bom=True,
    ),
    "abroad": FileKind(
        "cpr",
        "cpr3_t_adresse_udland",
        "utf-8",
        columns("v_pnr d_udrejse_dato d_indrejse_dato c_annkor"),
        bom=True,
    ),
    "residence": FileKind(
        "cpr",
        "cpr3_dansk_ophold_periode",
        "utf-8",
        columns("v_pnr dk_adresse_start dk_adresse_slut"),
        bom=True,
    ),
    "contacts": FileKind(
        "lpr_f",
        "kontakter",
        "cp1252",
        columns(
            "dw_ek_kontakt dw_ek_forloeb cpr sorenhed_ans enhedstype_ans hovedspeciale_ans region_ans dato_start "
            "tidspunkt_start dato_slut tidspunkt_slut kontakttype kontaktaarsag prioritet aktionsdiagnose "
            "dato_indberetning lprindberetningssystem"
        ),
        yearly=True,
    ),
    "diagnoses": FileKind(
        "lpr_f",
        "diagnoser",
        "cp1252",
        columns(
            "dw_ek_kontakt diagnosekode diagnosetype senere_afkraeftet diagnosekode_parent diagnosetype_parent "
            "lprindberetningssystem"
        ),
        yearly=True,
    ),
    "surgery": FileKind("lpr_f", "procedurer_kirurgi", "cp1252", PROCEDURE_COLUMNS, yearly=True),
    "procedures": FileKind("lpr_f", "procedurer_andre", "cp1252", PROCEDURE_COLUMNS, yearly=True),
    "courses": FileKind("lpr_f", "forloeb", "cp1252", columns("dw_ek_forloeb cpr")),
    "dispensings": FileKind(
        "lmdb",
        "lmdb",
        "cp1252",
        columns("pnr eksd vnr atc name packsize apk volume indo recu ibnr korr eksp"),
        yearly=True,
    ),
    "results": FileKind(
        "lab",
        "lab_forsker",
        "utf-8",
        columns(
            "patient_cpr samplingdate samplingtime analysiscode value operator unit referenceinterval_lowerlimit "
            "referenceinterval_upperlimit laboratorium_idcode"
        ),
        yearly=True,
    ),
    "deaths": FileKind("dod", "dodsaars", "cp1252", columns("pnr d_dodsdato c_dod1a")),
    "organisations": FileKind(
        "sor",
        "organisationer",
        "cp1252",
        columns(
            "sorenhed sorenhed_tekst sorenhed_type institutionsejer sundhedsinstitution hovedspeciale shak_sgh "
            "shak_afd region gyldig_fra gyldig_til"
        ),
    ),
}
