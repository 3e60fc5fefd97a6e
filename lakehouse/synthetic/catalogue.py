"""The code lists of the generator as arrays: what can happen, to whom, how often, and where."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lakehouse.synthetic.rates import AGE_SHAPES, BANDS, LEANS, SEX_SHAPES, Floats, drift, population_by_band


@dataclass(frozen=True)
class Codes:
    """One code system. Arrays run over codes first; ``age`` is (codes, bands), ``sex`` is (codes, 2: F, M)."""

    code: tuple[str, ...]
    name: tuple[str, ...]
    weight: Floats
    age: Floats
    sex: Floats
    lean: Floats
    drift: Floats
    winter: np.ndarray
    extra: tuple[dict[str, str], ...]

    def index(self, code: str) -> int:
        """Position of a code."""
        return self.code.index(code)


@dataclass(frozen=True)
class Catalogue:
    """Everything the generator reads from ``conf/codelists``."""

    years: tuple[int, int]
    diagnoses: Codes
    prevalence: Floats
    medicines: Codes
    procedures: Codes
    analyses: tuple[dict[str, str], ...]
    municipalities: tuple[dict[str, str], ...]
    hospitals: tuple[dict[str, str], ...]
    specialties: tuple[dict[str, str], ...]
    indications: tuple[tuple[int, int, float], ...]
    markers: tuple[tuple[int, int, str, float], ...]

    @property
    def chronic(self) -> np.ndarray:
        """Positions of the diagnoses with a prevalence: diseases a person keeps. The array is [chronic diagnosis]."""
        return np.flatnonzero(self.prevalence > 0)

    @property
    def groups(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Medicine groups of five characters, in order, and the group of each medicine.

        The array is [medicine], positions in the names.
        """
        names = sorted({code[:5] for code in self.medicines.code})
        return tuple(names), np.array([names.index(code[:5]) for code in self.medicines.code])


def read_rows(path: Path) -> tuple[dict[str, str], ...]:
    """Rows of a ``;``-separated code list."""
    with path.open(encoding="utf-8", newline="") as handle:
        return tuple(csv.DictReader(handle, delimiter=";"))


def number(text: str) -> float:
    """A number with a decimal comma; NaN when empty."""
    return float(text.replace(",", ".")) if text else float("nan")


def codes(rows: tuple[dict[str, str], ...], years: tuple[int, int], weight: str, name: str) -> Codes:
    """Arrays of one code system; age weights have population mean 1 so that ``weight`` stays a rate."""
    population = population_by_band()
    age = np.array([AGE_SHAPES[row["age"]] for row in rows])
    age = age / (age @ population)[:, None]
    return Codes(
        code=tuple(row["code"] for row in rows),
        name=tuple(row[name] for row in rows),
        weight=np.array([number(row[weight]) for row in rows]),
        age=age,
        sex=np.array([SEX_SHAPES[row["sex"]] for row in rows]),
        lean=np.array([LEANS[row.get("lean", "o") or "o"] for row in rows]),
        drift=np.array([drift(row.get("drift", "") or "", years) for row in rows]),
        winter=np.array([row.get("season", "") == "w" for row in rows]),
        extra=rows,
    )


def load_catalogue(files: dict[str, Path], years: tuple[int, int]) -> Catalogue:
    """Read every list; ``files`` maps the list's stem (``icd10``, ``atc``, …) to its path."""
    diagnoses = codes(read_rows(files["icd10"]), years, "weight", "name_da")
    medicines = codes(read_rows(files["atc"]), years, "users", "name")
    analyses = read_rows(files["npu"])
    npu = [row["code"] for row in analyses]
    return Catalogue(
        years=years,
        diagnoses=diagnoses,
        prevalence=np.nan_to_num(np.array([number(row["prevalence"]) for row in diagnoses.extra])) / 100.0,
        medicines=medicines,
        procedures=codes(read_rows(files["procedures"]), years, "weight", "name_da"),
        analyses=analyses,
        municipalities=read_rows(files["municipalities"]),
        hospitals=read_rows(files["hospitals"]),
        specialties=read_rows(files["specialties"]),
        indications=tuple(
            (diagnoses.index(row["diagnosis"]), medicines.index(row["medicine"]), number(row["share"]))
            for row in read_rows(files["indications"])
        ),
        markers=tuple(
            (diagnoses.index(row["diagnosis"]), npu.index(row["analysis"]), row["flag"], number(row["shift"]))
            for row in read_rows(files["markers"])
        ),
    )


LISTS = (
    "icd10",
    "atc",
    "npu",
    "procedures",
    "municipalities",
    "hospitals",
    "specialties",
    "indications",
    "markers",
)


def prevalence_by_band(catalogue: Catalogue, position: int) -> Floats:
    """Share (bands, 2) of persons of mean frailty who have a chronic disease; its mean over 16+ is the listed one."""
    population = population_by_band()
    adult = population * np.concatenate([[0, 0, 0, 0.8], np.ones(BANDS - 4)])
    shape = catalogue.diagnoses.age[position][:, None] * catalogue.diagnoses.sex[position][None, :]
    mean = float((adult[:, None] * shape / 2).sum() / adult.sum())
    share: Floats = np.minimum(shape * catalogue.prevalence[position] / mean, 0.9)
    return share
