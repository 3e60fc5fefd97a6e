"""The MLflow server on this machine: loopback only, telemetry, job runner and gateway off, a Bash-free account asked for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping

from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings

HARDENED: Mapping[str, str] = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ENABLE_AI_GATEWAY": "false",
    "MLFLOW_ENABLE_REMOTE_ASSISTANT": "false",
    "MLFLOW_SERVER_X_FRAME_OPTIONS": "SAMEORIGIN",
}
"""What is switched off: each is on by default or could be by an environment that is handed down."""

HIDDEN = ("PATTERNLAKE_VAULT", "PATTERNLAKE_HOME")
"""Names of places that the server's process need not know."""


def environment(settings: Settings, port: int) -> dict[str, str]:
    """The server's environment: hardened, hosts and origins narrowed to this machine, no way to the data named."""
    kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    hosts = f"127.0.0.1:{port},localhost:{port}"
    origins = f"http://127.0.0.1:{port},http://localhost:{port}"
    allowed = {"MLFLOW_SERVER_ALLOWED_HOSTS": hosts, "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": origins}
    return {**kept, **HARDENED, **allowed}


def command(settings: Settings, port: int) -> list[str]:
    """How the server is started: always on loopback, one worker, since one person looks."""
    given = {
        "--backend-store-uri": settings.tracking_uri,
        "--default-artifact-root": str(settings.artifacts),
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
    }
    return [sys.executable, "-m", "mlflow", "server", *(part for pair in given.items() for part in pair)]


def warning(settings: Settings) -> str:
    """What to say when the account that serves the pages could also read the data; empty when it could not.

    MLflow's page has a panel that can run commands on the server's machine for visitors from this machine, and no
    switch turns it off. So on a lake of real persons the server belongs under an account without data.
    """
    reachable = [
        path for path in (settings.lake, settings.keys) if path.exists() and os.access(path, os.R_OK)
    ]
    if not reachable:
        return ""
    return (
        f"This account can read {', '.join(map(str, reachable))}. On a lake of real persons run the server under an "
        "account that cannot: its page can run commands as this account."
    )


def serve(settings: Settings, port: int) -> int:
    """Start the MLflow server on loopback and wait for it; a lake of real persons within its reach is refused.

    Raises :class:`ConfigurationError` for such a lake, and where something else listens on the port.
    """
    from lakehouse.governance.permits.files import lake_kind

    if settings.tracking_uri.startswith("http"):
        print(f"The tracking server is {settings.tracking_uri}; open it in a browser.")
        return 0
    (settings.home / "mlflow").mkdir(parents=True, exist_ok=True)
    if said := warning(settings):
        if (settings.lake / "lake.toml").is_file() and lake_kind(settings) == "real":
            raise ConfigurationError(
                "The MLflow server would run under an account that can read real persons' data.",
                said,
                "Start it as another account, and give that one the folder mlflow alone.",
            )
        print(f"  {said}", file=sys.stderr)
    refuse_taken(port)
    print(f"MLflow at http://127.0.0.1:{port} (stop with Ctrl-C)", file=sys.stderr)
    try:
        run = subprocess.run(command(settings, port), env=environment(settings, port), check=False)
    except KeyboardInterrupt:
        return 0
    return run.returncode


def refuse_taken(port: int) -> None:
    """Say so when something else listens on the port.

    Raises :class:`ConfigurationError` then.
    """
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ConfigurationError(
                f"Something already listens on port {port}.",
                "",
                "Choose another with 'patternlake ui --port N'.",
            )
