"""Which persons walked a pattern: a list for a desk, never for MLflow, a report or a release."""
