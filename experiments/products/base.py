"""What a job may hand over: one protocol for every product, so that nothing behind a job needs to know which kind it is.

A *product* is made in the study and stays there as it is (``write``). What may be shown of it comes from
``check`` alone, as :class:`CheckedProduct`: files with their descriptions for the output gate, sentences, sections of the
report, limits, metrics. A product whose audience is :attr:`Audience.NAMED` singles out persons: it has no checked
form, so MLflow, report and release cannot get it; it leaves by a desk alone.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lakehouse.errors import DisclosureRefused
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Thresholds


class Audience(Enum):
    """For whom a product is."""

    AGGREGATE = "aggregate"
    """May go to MLflow, report and release once it is checked."""
    NAMED = "named"
    """Names persons or singles them out: may leave by a desk alone."""


class Calibration(NamedTuple):
    """Centre and standard deviation of z over ``pairs`` tests that carry no effect; 0 and 1 when all is well.

    ``bands`` are the same by expected number: from, to, tests, standard deviation.
    """

    mean: float
    sd: float
    pairs: int
    bands: Sequence[tuple[float, float, int, float]] = ()

    @property
    def calibrated(self) -> bool:
        """Whether theoretical p-values may stand alone: z is nowhere too wide."""
        return self.widest <= WIDEST

    @property
    def widest(self) -> float:
        """Largest standard deviation, of all tests or of those in a band, as far as chance does not explain it."""
        return float(max([self.sd, *(sd - 2 * _error(sd, tests) for *_, tests, sd in self.bands)]))

    @property
    def verdict(self) -> Verdict:
        """Judged both ways: z may also be too narrow, which hides effects, or there may be too few tests to tell."""
        if self.pairs < FEWEST_TESTS:
            return Verdict.CANNOT_BE_TOLD
        if not self.calibrated:
            return Verdict.TOO_WIDE
        return Verdict.TOO_NARROW if self.sd + 2 * _error(self.sd, self.pairs) < NARROWEST else Verdict.FAIR


NARROWEST, WIDEST = 0.9, 1.1
"""Between these the standard deviation of z is as it should be."""
FEWEST_TESTS = 100
"""Below so many tests a standard deviation says nothing."""


class Verdict(StrEnum):
    """What the standard deviation of z says of a comparison."""

    FAIR = "fair"
    TOO_WIDE = "too wide"
    TOO_NARROW = "too narrow"
    CANNOT_BE_TOLD = "cannot be told"


def _error(sd: float, tests: int) -> float:
    """Standard error of a standard deviation read off the quartiles."""
    return 1.17 * sd / math.sqrt(max(tests, 1))


class Tally(NamedTuple):
    """How many hypotheses were tested, are significant, and were found again; numbers of rows, not of persons."""

    tested: int
    significant: int
    replicated: int


@dataclass(frozen=True)
class TableColumn:
    """A column of a table on the page; ``number`` aligns it to the right."""

    label: str
    about: str = ""
    number: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table on the page: the words of its cells, row by row.

    ``about`` says what a row is; ``total`` rows exist where the page holds fewer, ``file`` holds them all; ``empty``
    stands in place of a table without rows.
    """

    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[str, ...], ...]
    about: str = ""
    total: int = 0
    file: str = ""
    empty: str = "There are no rows."


@dataclass(frozen=True)
class Picture:
    """A picture on the page; ``name`` is its file among the figures."""

    name: str
    alt: str
    caption: str
    content: bytes
    broad: bool = False


@dataclass(frozen=True)
class Interactive:
    """A part of the page with markup and script of its own: ``form`` names them (``<form>.html.j2``, ``<form>.js``).

    ``content`` is what the markup shows; ``data`` is put into the page as JSON for the script.
    """

    form: str
    content: Mapping[str, Any]
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A headed section of the report with its parts in order."""

    anchor: str
    title: str
    parts: tuple[PageTable | Picture | Interactive | str, ...]


@dataclass(frozen=True)
class ModelSpec:
    """How the checked, significant rows of a product are used as an MLflow model.

    ``module`` is a file of this package that stands alone (pandas and pyarrow only) with ``_load_pyfunc``;
    ``columns`` are stored with it, rows with a null in ``needs`` left out; ``example`` makes up an input.
    """

    module: str
    name: str
    about: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    columns: tuple[str, ...]
    needs: tuple[str, ...]
    example: Callable[[pa.Table], Mapping[str, list[Any]]]


@dataclass(frozen=True)
class ProductModel:
    """A model to be logged: how it is used, and the checked rows it is made of."""

    spec: ModelSpec
    rows: pa.Table


@dataclass(frozen=True)
class CheckedProduct:
    """What may be shown of a product, and what was hidden.

    ``files`` write themselves to a path, by name; ``described`` says for the output gate what each table among them
    counts (``outputs.json``), ``person_columns`` which of their columns count persons. ``summary`` are sentences for the
    head of the page, the first of which goes on after "In the treatment data of N persons, "; ``warning`` stands before.
    ``figures`` are label and value of key figures, ``hidden`` says what was hidden in a sentence, ``limits`` what the
    product cannot tell, ``metrics`` numbers to compare runs by, ``card`` lines of a model card.
    """

    name: str
    kind: str
    record: DisclosureRecord
    files: Mapping[str, Callable[[Path], object]]
    described: Mapping[str, Mapping[str, Any]]
    person_columns: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    warning: str = ""
    figures: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()
    hidden: str = ""
    limits: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    tally: Tally | None = None
    calibration: Calibration | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    card: tuple[str, ...] = ()
    model: ProductModel | None = None

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds it was checked by."""
        return Thresholds(self.record.threshold)


class Hypotheses(NamedTuple):
    """Hypotheses a product tested: log10 of their p-values [test], and what was asked, by which a repetition is known."""

    log10_p: NDArray[np.float64]
    asked: tuple[Any, ...]


class Product(ABC):
    """Something a job hands over.

    ``name`` is unique among the products of a job and names their files.
    """

    audience: ClassVar[Audience]

    @property
    @abstractmethod
    def name(self) -> str:
        """Short word that files and metrics begin with."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Name of the :class:`ProductKind` it is of."""

    @abstractmethod
    def write(self, folder: Path) -> list[Path]:
        """Store the product as it is in a folder of the study; the files written, each whole or not at all."""

    @abstractmethod
    def digest(self) -> str:
        """SHA-256 over what was found, by which a replay shows that it found the same; nothing of the run itself in it."""

    def of_run(self, run_id: str, code_version: str) -> Self:
        """The product with the run it belongs to, where it keeps that; itself otherwise."""
        return self

    def made_by(self, job: str, study: str) -> bool:
        """Whether it is, by its own word, a raw product of this job in this study; a sealed run's is asked."""
        return True

    def tests(self) -> Hypotheses | None:
        """What it adds to the study's ledger of hypotheses; None where nothing was tested."""
        return None

    def judged(self, bh: NDArray[np.float64], by: NDArray[np.float64]) -> Self:
        """The product with q-values ``bh`` and ``by`` [test] over all that its study ever tested, in the order of ``tests``.

        Asked of products with tests alone; raises NotImplementedError where one has tests and no place for q-values.
        """
        raise NotImplementedError(f"{type(self).__name__} has tests and does not take their q-values.")

    @abstractmethod
    def check(self, thresholds: Thresholds) -> CheckedProduct:
        """What may be shown: without small cells and whatever would give them away.

        Raises :class:`DisclosureRefused` where nothing of it may be shown to anybody but a desk.
        """


class NamedProduct(Product):
    """A product that names persons or singles them out: it has no checked form."""

    audience = Audience.NAMED

    def check(self, thresholds: Thresholds) -> CheckedProduct:
        """Always refused: rows about single persons are for a desk, never for MLflow, a report or a release.

        Raises :class:`DisclosureRefused`.
        """
        raise DisclosureRefused(
            f"'{self.name}' singles out persons and cannot be shown.",
            "A product about single persons leaves by a desk alone; MLflow, report and release never get it.",
            "It lies in the run's folder inside the study.",
        )


@dataclass(frozen=True)
class ProductKind:
    """A kind of product as a job declares it in ``gives``.

    ``read`` gets a product back from the folder and name it was written under, which is how a sealed run hands it over;
    ``expects`` says in a dry run, for so many codes of the vocabulary, what will come.
    """

    name: str
    audience: Audience
    read: Callable[[Path, str], Product]
    expects: Callable[[int], str]


def require_given(products: tuple[Product, ...], gives: tuple[ProductKind, ...], job: str) -> None:
    """Refuse products that the job did not declare, another audience than declared, and two of one name.

    Raises :class:`DisclosureRefused`.
    """
    allowed = {kind.name: kind.audience for kind in gives}
    for product in products:
        if allowed.get(product.kind) is not product.audience:
            raise DisclosureRefused(
                f"{job} handed over '{product.name}' ({product.kind}, {product.audience.value}).",
                f"It declares {', '.join(sorted(allowed)) or 'nothing'}.",
                "Name what the job gives in its decorator: @job(..., gives=...).",
            )
    if len({product.name for product in products}) < len(products):
        raise DisclosureRefused(
            f"{job} handed over two products of one name.", "Their files would overwrite each other.", ""
        )
