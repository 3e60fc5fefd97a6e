"""How many findings may be false: false discovery rates, trees of hypotheses, replication, calibrated nulls."""
