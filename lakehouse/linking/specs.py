"""What is compared in which kind of file: Danish persons, and two public sets whose truth is known."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from lakehouse.linking.model import LinkSpec, nulled

if TYPE_CHECKING:
    import pandas as pd

DANISH_COLUMNS = ("given_name", "family_name", "former_name", "birth_date", "sex", "street", "postcode")
LETTERS = str.maketrans(
    {"æ": "ae", "ø": "oe", "å": "aa", "ä": "ae", "ö": "oe", "ü": "y", "é": "e", "ß": "ss", "đ": "d", "ł": "l"}
)
SPELLINGS = (
    (r"ck", "k"),
    (r"ch", "k"),
    (r"ph", "f"),
    (r"th", "t"),
    (r"w", "v"),
    (r"z", "s"),
    (r"sson$", "sen"),
    (r"son$", "sen"),
)


def folded(name: str | None) -> str | None:
    """A name with its spellings made one: å and aa, ø and oe, ck and k, -sson and -sen; double letters single."""
    if not name:
        return None
    text = name.lower().translate(LETTERS)
    text = "".join(each for each in unicodedata.normalize("NFKD", text) if each.isalpha())
    for pattern, plain in SPELLINGS:
        text = re.sub(pattern, plain, text)
    text = text.replace("aa", "å")
    return re.sub(r"(.)\1", r"\1", text).replace("oe", "o").replace("ae", "e") or None


def prepare_danish(frame: pd.DataFrame) -> pd.DataFrame:
    """Folded names, names with their birth cohort (a name is as rare as it is among its own years), address as one."""
    made = frame.copy()
    for name in ("given_name", "family_name", "former_name"):
        made[name] = [folded(value) for value in frame[name]]
    made["former_name"] = made["former_name"].fillna(made["family_name"])
    decade = frame["birth_date"].str.slice(0, 3)
    made["given_cohort"] = made["given_name"] + "|" + decade
    made["street"] = [re.sub(r"\W", "", folded_street(value)) or None for value in frame["street"]]
    made["birth_year"] = frame["birth_date"].str.slice(0, 4)
    return nulled(made)


def folded_street(text: str | None) -> str:
    """A street with its number, spellings made one."""
    return (text or "").lower().translate(LETTERS).replace("oe", "o").replace("aa", "å")


def danish_comparisons() -> list[Any]:
    """Names by cohort, names before marriage, dates with a slip of the pen, addresses that may have changed."""
    import splink.comparison_level_library as level
    import splink.comparison_library as library

    given = library.CustomComparison(
        output_column_name="given_name",
        comparison_levels=[
            level.NullLevel("given_name"),
            level.ExactMatchLevel("given_cohort", term_frequency_adjustments=True),
            level.ExactMatchLevel("given_name"),
            level.JaroWinklerLevel("given_name", 0.92),
            level.JaroWinklerLevel("given_name", 0.8),
            level.ElseLevel(),
        ],
    )
    family = library.CustomComparison(
        output_column_name="family_name",
        comparison_levels=[
            level.NullLevel("family_name"),
            level.ExactMatchLevel("family_name", term_frequency_adjustments=True),
            level.CustomLevel(
                "former_name_l = family_name_r OR family_name_l = former_name_r OR former_name_l = former_name_r",
                "a name before or after marriage",
            ),
            level.JaroWinklerLevel("family_name", 0.92),
            level.ElseLevel(),
        ],
    )
    born = library.CustomComparison(
        output_column_name="birth_date",
        comparison_levels=[
            level.NullLevel("birth_date"),
            level.ExactMatchLevel("birth_date"),
            level.DamerauLevenshteinLevel("birth_date", 1),
            level.DamerauLevenshteinLevel("birth_date", 2),
            level.ExactMatchLevel("birth_year"),
            level.ElseLevel(),
        ],
    )
    place = library.CustomComparison(
        output_column_name="street",
        comparison_levels=[
            level.NullLevel("street"),
            level.CustomLevel("street_l = street_r AND postcode_l = postcode_r", "the same address"),
            level.CustomLevel(
                "jaro_winkler_similarity(street_l, street_r) >= 0.94", "nearly the same street"
            ),
            level.ExactMatchLevel("postcode"),
            level.ElseLevel(),
        ],
    )
    return [given, family, born, place, library.ExactMatch("sex")]


DANISH = LinkSpec(
    name="danish",
    columns=DANISH_COLUMNS,
    comparisons=danish_comparisons,
    blocks=(
        ("birth_date", "given_name"),
        ("birth_date", "family_name"),
        ("birth_date", "former_name"),
        ("birth_date", "postcode"),
        ("given_name", "family_name", "birth_year"),
        ("street", "postcode", "given_name"),
        ("street", "postcode", "sex", "birth_year"),
        ("given_name", "former_name", "sex", "postcode"),
    ),
    sure=(("given_name", "family_name", "birth_date"), ("given_name", "former_name", "birth_date", "sex")),
    training=(("birth_date", "sex"), ("given_name", "family_name"), ("street", "postcode")),
    recall_of_sure=0.85,
    prepare=prepare_danish,
)


def febrl_comparisons() -> list[Any]:
    """Names, date, number and address of the FEBRL sets."""
    import splink.comparison_library as library

    return [
        library.NameComparison("given_name").configure(term_frequency_adjustments=True),
        library.NameComparison("surname").configure(term_frequency_adjustments=True),
        library.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
        library.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
        library.JaroWinklerAtThresholds("address_1", [0.9]),
        library.DamerauLevenshteinAtThresholds("postcode", [1]),
        library.JaroWinklerAtThresholds("suburb", [0.9]),
        library.ExactMatch("street_number"),
    ]


FEBRL = LinkSpec(
    name="febrl",
    columns=(
        "given_name",
        "surname",
        "street_number",
        "address_1",
        "suburb",
        "postcode",
        "date_of_birth",
        "soc_sec_id",
    ),
    comparisons=febrl_comparisons,
    blocks=(
        ("soc_sec_id",),
        ("date_of_birth",),
        ("given_name", "surname"),
        ("given_name", "postcode"),
        ("surname", "postcode"),
        ("surname", "street_number"),
        ("given_name", "street_number"),
        ("address_1",),
        ("suburb", "street_number"),
    ),
    sure=(("soc_sec_id",), ("given_name", "surname", "date_of_birth")),
    training=(("date_of_birth",), ("soc_sec_id",), ("postcode", "suburb")),
)


def fake_comparisons() -> list[Any]:
    """Names, date, city and e-mail of Splink's own set of poor data."""
    import splink.comparison_library as library

    return [
        library.NameComparison("first_name").configure(term_frequency_adjustments=True),
        library.NameComparison("surname").configure(term_frequency_adjustments=True),
        library.DateOfBirthComparison("dob", input_is_string=True),
        library.ExactMatch("city").configure(term_frequency_adjustments=True),
        library.EmailComparison("email"),
    ]


FAKE = LinkSpec(
    name="fake",
    columns=("first_name", "surname", "dob", "city", "email"),
    comparisons=fake_comparisons,
    blocks=(("dob",), ("first_name", "surname"), ("email",), ("surname", "city"), ("first_name", "city")),
    sure=(("email",), ("first_name", "surname", "dob")),
    training=(("dob",), ("email",), ("first_name", "surname")),
)
SPECS = {spec.name: spec for spec in (DANISH, FEBRL, FAKE)}
