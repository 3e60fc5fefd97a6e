"""MLflow: every run with its tags, inputs, scope, results and models; nothing else knows MLflow."""

import os

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
