"""The verdict on a delivery: accepted, with warnings, or refused, by the thresholds the data unit has declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lakehouse.definitions import Definition, load
from lakehouse.definitions.loader import ids
from lakehouse.delivery.register import Entry
from lakehouse.errors import ConfigurationError
from lakehouse.ingest.delivery_definition import DeliveryThresholds, Limits
from lakehouse.settings import Settings

ACCEPTED, WARNED, REFUSED = "accepted", "accepted with warnings", "refused"
NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of every table: ``named`` by source table, ``general`` for all others."""

    general: Definition[DeliveryThresholds]
    named: Mapping[str, Definition[DeliveryThresholds]]

    def of(self, table: str) -> Definition[DeliveryThresholds]:
        """The thresholds of a source table."""
        return self.named.get(table, self.general)

    @property
    def hashes(self) -> dict[str, str]:
        """Hash of every definition by name."""
        return {each.name: each.hash for each in (self.general, *self.named.values())}


@dataclass(frozen=True)
class Verdict:
    """What a delivery is judged to be, and why, a sentence for each file and bound that it goes beyond.

    ``definitions`` gives the hash of the thresholds it was judged by, by name.
    """

    state: str
    reasons: list[str] = field(default_factory=list)
    definitions: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The verdict as the first line of a report."""
        count = {0: "", 1: ", for one reason"}.get(len(self.reasons), f", for {len(self.reasons)} reasons")
        return f"{self.state.capitalize()}{count}."


def thresholds(settings: Settings) -> Thresholds | None:
    """All files of ``conf/delivery``; none where there are no files, as in a ``conf`` from before there were thresholds.

    Exactly one names no table and holds for all that no other names. Raises :class:`ConfigurationError` where a file
    is faulty, where two hold for one table, or where none holds for the tables that nobody names.
    """
    general: list[Definition[DeliveryThresholds]] = []
    named: dict[str, Definition[DeliveryThresholds]] = {}
    for id in ids(settings, DeliveryThresholds.family):
        made = load(settings, DeliveryThresholds, id)
        if not made.content.tables:
            general.append(made)
        for table in made.content.tables:
            if table in named:
                raise _twice(named[table], made, f"the table {table}")
            named[table] = made
    if len(general) > 1:
        raise _twice(general[0], general[1], "all other tables")
    if not general and not named:
        return None
    if not general:
        raise ConfigurationError(
            "No file of conf/delivery holds for tables that none names.",
            "A delivery is judged whole or not at all.",
            "Restore default.toml, or leave 'tables' out of one file.",
        )
    return Thresholds(general[0], named)


def _twice(
    one: Definition[DeliveryThresholds], other: Definition[DeliveryThresholds], what: str
) -> ConfigurationError:
    return ConfigurationError(
        f"{one.path} and {other.path} both hold for {what}.",
        "A file is judged by one set of thresholds.",
        "Take it out of one of them.",
    )


def judge(declared: Thresholds | None, files: Iterable[Entry], known: Sequence[Entry]) -> Verdict:
    """The verdict on files of a delivery; ``known`` are all recorded files, among which those delivered before are."""
    if declared is None:
        return Verdict(NOT_JUDGED, ["conf/delivery holds no thresholds."])
    refused: list[str] = []
    warned: list[str] = []
    for entry in files:
        limits = declared.of(entry.source_table).content
        before = previous(entry, known)
        if beyond := outside(limits.refuse, entry, before):
            refused += beyond
        else:
            warned += outside(limits.warn, entry, before)
    state = REFUSED if refused else WARNED if warned else ACCEPTED
    return Verdict(state, refused + warned, declared.hashes)


def previous(entry: Entry, known: Sequence[Entry]) -> Entry | None:
    """The delivery before this one of the same file, none for the first."""
    earlier = [each for each in known if each.series == entry.series and each.edition < entry.edition]
    return max(earlier, key=lambda each: each.edition, default=None)


def outside(limits: Limits, entry: Entry, before: Entry | None) -> list[str]:
    """A sentence for each bound that a file goes beyond."""
    told = []
    if before is not None and before.rows_in:
        ratio = entry.rows_in / before.rows_in
        if not limits.rows_at_least <= ratio <= limits.rows_at_most:
            told.append(
                f"{entry.name}: {entry.rows_in:,} rows, {ratio:.0%} of the {before.rows_in:,} delivered before "
                f"(allowed are {limits.rows_at_least:.0%} to {limits.rows_at_most:.0%})."
            )
    fresh = entry.rows_silver + entry.rows_quarantine
    if fresh and entry.rows_quarantine / fresh > limits.quarantine_at_most:
        told.append(
            f"{entry.name}: {entry.rows_quarantine / fresh:.1%} of {fresh:,} new rows are in quarantine "
            f"(allowed are {limits.quarantine_at_most:.1%})."
        )
    return told
