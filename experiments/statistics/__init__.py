"""From counts to estimates: tests, intervals, error rates; no Spark, no I/O."""
