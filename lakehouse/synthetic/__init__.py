"""A synthetic region: deliveries in the Danish formats with a planted truth that no job can read."""

from lakehouse.synthetic.delivery import SynthSummary, synthesise
from lakehouse.synthetic.rates import Rates

__all__ = ["Rates", "SynthSummary", "synthesise"]
