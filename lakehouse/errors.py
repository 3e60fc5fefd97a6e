"""Every refusal of the platform: what is wrong, why it matters, what to do next, and one exit code a class."""

from __future__ import annotations


class PatternlakeError(Exception):
    """A refusal a user can act on.

    The message is built from three sentences so that nobody has to guess: *what* happened,
    *why* it is refused, and the *next* step. ``exit_code`` lets a caller without access to
    the logs know the class of the cause.
    """

    exit_code = 1

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        self.what, self.why, self.next_step = what, why, next_step
        super().__init__(" ".join(part for part in (what, why, next_step) if part))

    def __reduce__(self) -> tuple[type[PatternlakeError], tuple[str, str, str]]:
        return type(self), (self.what, self.why, self.next_step)


class UsageError(PatternlakeError):
    """The command was called in a way it does not understand."""

    exit_code = 2


class ConfigurationError(PatternlakeError):
    """A settings, study or permit file is missing or wrong."""

    exit_code = 10


class DataError(PatternlakeError):
    """A delivery or table is not what its declaration says."""

    exit_code = 11


class PermissionRefused(PatternlakeError):
    """The permit does not cover what was asked for."""

    exit_code = 12


class DisclosureRefused(PatternlakeError):
    """An output would single out a small group."""

    exit_code = 13


class ScopeBreach(PatternlakeError):
    """Something was read that the study's record cannot account for."""

    exit_code = 14
