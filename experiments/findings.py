"""The bundle a job returns: its products, how many persons they are of, and what a reader must know."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.products.base import Product
from experiments.products.patterns import Patterns


@dataclass(frozen=True)
class Findings:
    """The outcome of one question in one study.

    ``products`` are what the job declared in ``gives``, one of a name; ``persons`` were counted, ``remarks`` are sentences
    for the report.
    """

    products: tuple[Product, ...]
    persons: int
    remarks: tuple[str, ...] = ()

    @property
    def patterns(self) -> Patterns:
        """The one table of patterns; ValueError where the job gave none."""
        found = [product for product in self.products if isinstance(product, Patterns)]
        if not found:
            raise ValueError("The job gave no table of patterns.")
        return found[0]
