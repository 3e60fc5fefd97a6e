"""What Spark shows of its own work: executed plans, status store and event log."""
