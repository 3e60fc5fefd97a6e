"""Which sets and sequences of codes tell groups apart, with one error rate for all that were searched."""
