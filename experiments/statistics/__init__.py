"""From counts to estimates, a folder for each kind of question: tests, intervals, error rates; no Spark, no I/O."""
