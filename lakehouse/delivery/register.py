"""What a lake is (its kind), what has come into it (``meta.ingest``), and which versions of gold belong together."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.data_model import GOLD
from lakehouse.delivery.find import KINDS, REAL, Delivery, series_name
from lakehouse.errors import DataError
from lakehouse.settings import read_toml

if TYPE_CHECKING:
    from lakehouse.lake import Lake
    from lakehouse.settings import Settings

INGEST = "meta.ingest"


@dataclass(frozen=True)
class Entry:
    """One delivered file as recorded: where it came from and the balance of its rows.

    ``edition`` counts deliveries of a file of that name; gold reads the newest one. What that one shares with the
    delivery ``after`` which it came (``rows_kept``) was read then and is read there; ``rows_gone`` had vanished.
    """

    file_id: str
    sha256: str
    name: str
    format: str
    issuer: str
    source: str
    source_table: str
    delivered: datetime.date | None
    covers_from: datetime.date | None
    covers_to: datetime.date | None
    edition: int
    rows_in: int
    rows_bronze: int
    rows_silver: int
    rows_quarantine: int
    reasons: dict[str, int] = field(default_factory=dict)
    after: str = ""
    rows_kept: int = 0
    rows_gone: int = 0

    @property
    def series(self) -> tuple[str, str, str, str]:
        """What a later delivery of the same file has in common with it, whatever form and folder it comes in."""
        return self.format, self.issuer, self.source_table, series_name(self.name)

    @property
    def key(self) -> tuple[str, str]:
        """What tells one record: the file, and the table it was read into (a bundle feeds several)."""
        return self.file_id, self.source_table

    @property
    def balanced(self) -> bool:
        """Whether every row that came in is somewhere."""
        read = self.rows_silver + self.rows_quarantine
        return self.rows_in == self.rows_kept + self.rows_bronze and self.rows_bronze == read


DATES = ("delivered", "covers_from", "covers_to")
"""What an entry may lack; a lake of an earlier version also lacks what came in later, and takes the defaults."""
SCHEMA = (
    "file_id STRING, sha256 STRING, name STRING, format STRING, issuer STRING, source STRING, source_table STRING, "
    "delivered DATE, covers_from DATE, covers_to DATE, edition INT, rows_in BIGINT, rows_bronze BIGINT, "
    "rows_silver BIGINT, rows_quarantine BIGINT, reasons MAP<STRING, BIGINT>, after STRING, rows_kept BIGINT, "
    "rows_gone BIGINT"
)


def lake_kind(settings: Settings) -> str:
    """``synthetic``, ``foreign`` or ``real``, as the first ingest noted in ``<lake>/lake.toml``; any other text is real.

    What may be read without a permit hangs on it, so it is never guessed; :class:`DataError` where there is no lake.
    """
    path = kind_file(settings)
    if not path.is_file():
        raise DataError(
            f"There is no lake at {settings.lake}.",
            "Whether its persons are real stands in its lake.toml, which the ingest writes.",
            "Run 'patternlake ingest DIR' first.",
        )
    kind = str(read_toml(path).get("kind", REAL))
    return kind if kind in KINDS else REAL


def kind_file(settings: Settings) -> Path:
    """Where a lake's kind is noted; there is none before the first ingest."""
    return settings.lake / "lake.toml"


def claim_kind(settings: Settings, delivery: Delivery) -> None:
    """Make the lake of the delivery's kind; :class:`DataError` for a delivery of another kind.

    Real persons beside made-up ones could be opened by a study that never saw the data unit.
    """
    path = kind_file(settings)
    if path.is_file():
        kind = lake_kind(settings)
        if kind != delivery.kind:
            raise DataError(
                f"The delivery is {delivery.kind}, the lake is {kind}.",
                "A lake holds persons of one kind, because what may be opened without a permit hangs on it.",
                "Give another lake with --lake.",
            )
        return
    settings.lake.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".toml.tmp")
    temporary.write_text(f'# Written by the first ingest.\nkind = "{delivery.kind}"\n', encoding="utf-8")
    temporary.replace(path)


def entries(lake: Lake) -> list[Entry]:
    """Every recorded file."""
    if not lake.holds(INGEST):
        return []
    rows = lake.read(INGEST).collect()
    return sorted(
        (
            Entry(
                **{name: value for name, value in row.asDict().items() if value is not None or name in DATES}
            )
            for row in rows
        ),
        key=lambda each: (each.source_table, each.name, each.edition),
    )


def record(lake: Lake, new: Sequence[Entry]) -> None:
    """Record files whose rows are all in silver or quarantine; from here on they count as delivered."""
    write_entries(lake, new, "append")


def replace_entries(lake: Lake, all_entries: Sequence[Entry]) -> None:
    """Write the whole record again, in one commit."""
    write_entries(lake, all_entries, "overwrite")


def write_entries(lake: Lake, new: Sequence[Entry], mode: str) -> None:
    """Write entries as one file."""
    rows = [tuple(asdict(entry).values()) for entry in new]
    frame = lake.spark.createDataFrame(rows, SCHEMA).coalesce(1)
    (
        frame.write.format("delta")
        .mode(mode)
        .option("delta.dataSkippingStatsColumns", "")
        .option("mergeSchema", "true")
        .save(str(lake.path(INGEST)))
    )


def current(all_entries: Sequence[Entry]) -> list[Entry]:
    """Of several deliveries of one file, the latest: a later delivery replaces the whole file."""
    newest: dict[tuple[str, str, str, str], Entry] = {}
    for entry in all_entries:
        other = newest.get(entry.series)
        if other is None or age_of(entry) > age_of(other):
            newest[entry.series] = entry
    return sorted(newest.values(), key=lambda each: (each.source_table, each.name))


def current_at(all_entries: Sequence[Entry], day: datetime.date) -> list[Entry]:
    """The files that were current on a day: the lake as it stood after the deliveries up to then."""
    return current([entry for entry in all_entries if entry.delivered is None or entry.delivered <= day])


def chain_of(entry: Entry, by_key: Mapping[tuple[str, str], Entry]) -> list[Entry]:
    """A delivery and those it goes on from, newest first: the files its rows were read from."""
    chain = [entry]
    while chain[-1].after:
        chain.append(by_key[chain[-1].after, entry.source_table])
    return chain


def age_of(entry: Entry) -> tuple[datetime.date, int, str]:
    """What decides which of two deliveries is the later one; the same whatever order they are looked at in."""
    return entry.delivered or datetime.date.min, entry.edition, entry.file_id


def versions_file(settings: Settings) -> Path:
    """Where the versions of gold that belong together are noted."""
    return settings.lake / "gold" / "versions.json"


def gold_versions(settings: Settings) -> dict[str, int]:
    """Versions of the gold tables of the last finished ingest, by name.

    Gold is several tables, each replaced by a commit of its own: only these versions fit together, and readers
    pin them. Empty before the first ingest has finished.
    """
    path = versions_file(settings)
    if not path.is_file():
        return {}
    noted: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))["versions"]
    return {name: noted[name] for name in GOLD if name in noted}
