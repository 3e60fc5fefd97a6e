"""MLflow: every run with its tags, inputs, scope, results and models; nothing else knows MLflow."""
