"""The one reader of ``conf/``: where everything lies, which thresholds hold, which Spark properties apply."""

from __future__ import annotations

import atexit
import os
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lakehouse.errors import ConfigurationError

SMALL_CELL_FLOOR = 5
"""Fewest persons a released count may stand for. A profile or a permit may raise it, never lower it."""


COUNTER_MEMORY_GB = 3.0
"""Memory that one process may give to the counters of a scan, where a profile names none."""


@dataclass(frozen=True)
class Settings:
    """Resolved settings of one process.

    ``home`` holds everything the platform writes. The lake (Delta tables) is one folder below it;
    keys, raw results and the tracking store lie beside the lake, never inside it. ``anchors`` are the folders that
    keep the ledger's signed heads; a profile should name two that another account or machine holds.
    ``counter_memory`` are the bytes that one counting process may give to its counters: with more codes than fit,
    persons are passed over several times.
    """

    home: Path
    profile: str
    spark_conf: Path
    tracking_uri: str
    small_cell: int
    anchors: tuple[Path, ...] = ()
    counter_memory: int = int(COUNTER_MEMORY_GB * 1e9)

    @property
    def lake(self) -> Path:
        """Root of the Delta tables."""
        return self.home / "lake"

    @property
    def keys(self) -> Path:
        """Pseudonym keys, readable by their owner alone."""
        return self.home / "keys"

    @property
    def vault(self) -> Path:
        """Who a token stands for, sealed: ``PATTERNLAKE_VAULT``, else beside the lake. Another account's in earnest."""
        return Path(os.environ.get("PATTERNLAKE_VAULT") or self.home / "vault")

    @property
    def results(self) -> Path:
        """Raw results of runs, before the disclosure check; they stay inside the study."""
        return self.home / "results"

    @property
    def artifacts(self) -> Path:
        """Artefact root of the tracking store."""
        return self.home / "mlflow" / "artifacts"

    @property
    def scratch(self) -> Path:
        """Spark's local folders and other temporary files."""
        return self.home / "tmp"

    def definition(self, kind: str, name: str) -> Path:
        """Path of a study or permit file: the home's own ``conf`` first, then the project's.

        ``kind`` is ``"permits"`` or ``"studies"``. Raises :class:`ConfigurationError` where neither has it.
        """
        candidates = [self.home / "conf" / kind / f"{name}.toml", conf_dir() / kind / f"{name}.toml"]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        raise ConfigurationError(
            f"There is no {kind[:-1] if kind == 'permits' else 'study'} called '{name}'.",
            f"Looked for {candidates[0]} and {candidates[1]}.",
            "Create one with 'patternlake study new ID --grant-all' on a synthetic or foreign lake, "
            "or ask the data unit for a permit.",
        )

    def read_definition(self, kind: str, name: str) -> dict[str, Any]:
        """Parsed TOML of a study or permit."""
        return read_toml(self.definition(kind, name))

    def write_definition(self, kind: str, name: str, text: str) -> Path:
        """Write a study or permit into the home's own ``conf`` and return its path."""
        path = self.home / "conf" / kind / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
        return path

    def codelist(self, name: str) -> Path:
        """Path of a file under ``conf/codelists``. Raises :class:`ConfigurationError` where it is missing."""
        path = conf_dir() / "codelists" / name
        if not path.is_file():
            raise ConfigurationError(
                f"The code list '{name}' is missing.", f"Looked for {path}.", "Reinstall."
            )
        return path

    def spark_properties(self) -> dict[str, str]:
        """The profile's Spark properties, for sessions that ``spark-submit`` did not start."""
        return read_properties(self.spark_conf)


def conf_dir() -> Path:
    """The project's ``conf``: ``PATTERNLAKE_CONF``, else beside the package, else the copy in the wheel.

    A wheel that Spark carries as a zip is unpacked for it once a process.
    """
    if given := os.environ.get("PATTERNLAKE_CONF"):
        return Path(given)
    package = Path(__file__).resolve().parent
    beside = package.parent / "conf"
    if beside.is_dir():
        return beside
    return package / "_conf" if package.is_dir() else _unpacked(package)


@cache
def _unpacked(package: Path) -> Path:
    """``conf`` from the zip that ``package`` lies in, in a folder that goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="patternlake-conf-")
    atexit.register(folder.cleanup)
    with zipfile.ZipFile(package.parent) as archive:
        inside = [name for name in archive.namelist() if name.startswith(f"{package.name}/_conf/")]
        archive.extractall(folder.name, inside)
    return Path(folder.name) / package.name / "_conf"


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; an unreadable one is a :class:`ConfigurationError` that names the line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.", "", "Correct the file.") from error


def read_properties(path: Path) -> dict[str, str]:
    """Parse a Spark properties file (``key value`` lines, ``#`` comments)."""
    properties = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if (stripped := line.strip()) and not stripped.startswith("#"):
            key, _, value = stripped.partition(" ")
            properties[key] = value.strip()
    return properties


def load_settings(home: str | Path | None = None, profile: str | None = None) -> Settings:
    """Settings from the arguments, else ``PATTERNLAKE_HOME``/``PATTERNLAKE_PROFILE``, else the defaults.

    Raises :class:`ConfigurationError` for a profile that is not there or gives values that are not allowed.
    """
    chosen = profile or os.environ.get("PATTERNLAKE_PROFILE") or "local"
    path = conf_dir() / "profiles" / f"{chosen}.toml"
    if not path.is_file():
        raise ConfigurationError(
            f"There is no profile '{chosen}'.", f"Looked for {path}.", "Use 'local' or add the file."
        )
    values = read_toml(path)
    root = Path(home or os.environ.get("PATTERNLAKE_HOME") or values.get("home", "~/.patternlake"))
    root = root.expanduser().resolve()
    floor = int(values.get("small_cell", SMALL_CELL_FLOOR))
    if floor < SMALL_CELL_FLOOR:
        raise ConfigurationError(
            f"{path} sets small_cell = {floor}.",
            f"The coded floor is {SMALL_CELL_FLOOR}: a profile may raise it, never lower it.",
            "Raise or remove the line.",
        )
    memory = values.get("counter_memory_gb", COUNTER_MEMORY_GB)
    if not isinstance(memory, int | float) or not 0 < memory < float("inf"):
        raise ConfigurationError(
            f"{path} sets counter_memory_gb = {memory!r}.",
            "It is a number of gigabytes above 0.",
            "Correct it.",
        )
    uri = os.environ.get("MLFLOW_TRACKING_URI") or values.get("tracking_uri") or ""
    return Settings(
        home=root,
        profile=chosen,
        spark_conf=conf_dir() / "spark" / values.get("spark", f"{chosen}.conf"),
        tracking_uri=uri or f"sqlite:///{root / 'mlflow' / 'mlflow.db'}",
        small_cell=floor,
        anchors=tuple(Path(place).expanduser() for place in values.get("anchors", ())),
        counter_memory=int(memory * 1e9),
    )
