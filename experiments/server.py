"""The MLflow server on this machine: loopback only, telemetry and job runner off."""

from __future__ import annotations

import os
import subprocess
import sys

from lakehouse.settings import Settings


def serve(settings: Settings, port: int) -> int:
    """Start the MLflow server on loopback and wait for it."""
    (settings.home / "mlflow").mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_AI_GATEWAY": "false",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", settings.tracking_uri]
    command += [
        "--default-artifact-root",
        str(settings.artifacts),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    if settings.tracking_uri.startswith("http"):
        print(f"The tracking server is {settings.tracking_uri}; open it in a browser.")
        return 0
    print(f"MLflow at http://127.0.0.1:{port} (stop with Ctrl-C)", file=sys.stderr)
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 0
