"""Tail probabilities and quantiles of the distributions that the tests rest on, exact far out in the tails."""
