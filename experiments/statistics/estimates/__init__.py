"""Sizes of effects with their intervals: shares, risk ratios, adjusted for strata or not."""
