"""Who may sign permits and definitions: the signers the data unit trusts, each in one role."""

from __future__ import annotations

from collections.abc import Mapping

from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings, read_toml

ROLES = ("authority", "controller", "data_unit")
"""Whose signature counts on a lake of real persons."""


def trusted_signers(settings: Settings) -> Mapping[str, str]:
    """Role by public key (hex) of everybody who may sign permits and definitions: ``<home>/keys/signers.toml``.

    It lies with the keys, not with the permits: whoever can write a permit must not be able to name its signer.
    Raises :class:`ConfigurationError` for an entry without key or role.
    """
    path = settings.keys / "signers.toml"
    if not path.is_file():
        return {}
    signers: dict[str, str] = {}
    for name, entry in read_toml(path).items():
        if not isinstance(entry, dict) or not {"key", "role"} <= set(entry):
            raise ConfigurationError(
                f"{path}: '{name}' needs key and role.", "", 'Write [name] key = "…" role = "…".'
            )
        signers[str(entry["key"])] = str(entry["role"])
    return signers
