"""Forgetting persons: out of every table, extract, file and log, for good, with a certificate by byte scan.

The order makes it safe to kill and to repeat: first pseudonymisation refuses the persons, then rows that only their
record keys lead to are deleted, then their own rows (which is where the keys are found), then old files are purged,
and last everything is searched. Deletion goes by MERGE from a table of keys, because a DELETE would write the
erased tokens into the table's history.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lakehouse.data_model import GOLD
from lakehouse.delivery.register import versions_file
from lakehouse.delivery.row_ids import forget_rows
from lakehouse.delta.log import newest_version, stamp_of
from lakehouse.delta.read import live_files, rows_of
from lakehouse.delta.tables import table_path
from lakehouse.delta.writer_lock import only_writer
from lakehouse.errors import ScopeBreach
from lakehouse.governance.access.person_sets import TOKEN_BYTES, PersonSets
from lakehouse.governance.ledger import ledger
from lakehouse.governance.persons.kept_results import drop_kept
from lakehouse.governance.persons.residue import Scan, clean, needles_of, scan
from lakehouse.governance.persons.token_tables import TokenTable, token_tables
from lakehouse.identity.enrolment import erased_file
from lakehouse.identity.pseudonyms import generation, token_batch
from lakehouse.identity.vault import open_vault
from lakehouse.private_files import private_folder, write_private
from lakehouse.spark_internals.process import jvm_process

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.lake import Lake
    from lakehouse.settings import Settings

ROUNDS = 3
"""How far record keys are followed: contact to procedure to result."""

_TABLES_AT_ONCE = 4
"""Most of the time of a deletion or a purge is planning on the driver, so several tables go side by side."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Certificate:
    """What was done and found. Holds no identifier and no token."""

    id: str
    at: str
    tables: int
    rows: int
    purged: int
    files_cleaned: int
    files_scanned: int
    bytes_scanned: int
    residues: int
    vault: bool
    seconds: float

    @property
    def digest(self) -> str:
        """Hash that the ledger keeps, in groups of four."""
        whole = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return "-".join(whole[at : at + 4] for at in range(0, 64, 4))

    def __str__(self) -> str:
        rows = f"{self.rows:,}" if self.rows >= 5 else "under 5"
        return (
            f"Erasure {self.id}: {rows} rows out of {self.tables} tables, {self.purged} tables purged, "
            f"{self.files_cleaned} files cleaned; {self.files_scanned:,} files ({self.bytes_scanned / 1e6:,.1f} MB) "
            f"searched, {self.residues} residues; {self.seconds:.0f} s"
        )


def erase(
    lake: Lake,
    persons: Sequence[str],
    *,
    texts: Sequence[str] = (),
    progress: Progress | None = None,
) -> Certificate:
    """Forget persons, given by lake token; ``texts`` are clear words to search for besides (their numbers).

    Raises :class:`ScopeBreach` with the files that still hold something, when only a person can decide on them;
    no certificate is given then. Repeating it is safe, and is how a killed erasure is finished.
    """
    began = time.monotonic()
    named = secrets.token_hex(4)
    writers = [os.getpid(), jvm_process(lake.spark)]
    tell = progress or (lambda name, done, total: None)
    with only_writer(lake.settings.lake / ".writer.lock", writers):
        ledger.append(lake.settings, "erasure", {"event": "intent", "erasure": named})
        refuse_tokens(lake.settings, persons)
        tables = token_tables(lake)
        tell("Finding records", 0, len(tables))
        with staged(lake, persons) as own:
            keys = record_keys(lake, tables, own)
        refuse_tokens(lake.settings, keys)
        known = [*persons, *keys]
        studies = study_tokens(lake.settings, known)
        rows = 0
        touched: set[Path] = set()
        with staged(lake, [*known, *studies]) as gone:
            for only_keys in (True, False):
                chosen = [table for table in tables if not (only_keys and table.subject)]
                found = hits(lake.spark, chosen, gone, only_keys=only_keys)
                hit = [table for table in chosen if table.path in found]
                work = partial(delete, lake.settings, gone.inputFiles(), found)
                each_in_a_session(lake.spark, hit, work, partial(tell, "Deleting rows"))
                rows += sum(sum(counts.values()) for counts in found.values())
                touched.update(found)
        drop_kept(lake.settings)
        needles = needles_of([*known, *studies], texts)
        shredded = forget_in_vault(lake.settings, persons)
        nobody = {token: f"ff{secrets.token_hex(16)}" for token in persons}
        renumber(lake.settings, lambda tokens: [nobody.get(token, token) for token in tokens])
        purged, cleaned, last = clear(lake, tables, touched, needles, tell)
        note_gold(lake.settings)
    certificate = Certificate(
        named,
        datetime.now(UTC).isoformat(timespec="seconds"),
        len(touched),
        rows,
        purged,
        cleaned,
        last.files,
        last.size,
        len(last.found),
        shredded,
        round(time.monotonic() - began, 1),
    )
    return certified(lake.settings, certificate, last)


def certified(settings: Settings, certificate: Certificate, last: Scan) -> Certificate:
    """Put the certificate on file and in the ledger; :class:`ScopeBreach` when something is left."""
    facts = {"erasure": certificate.id, "certificate": certificate.digest, "residues": certificate.residues}
    if last.found:
        ledger.append(settings, "erasure", {"event": "unfinished", **facts})
        shown = ", ".join(str(path.relative_to(settings.home)) for path in last.found[:10])
        raise ScopeBreach(
            f"{len(last.found)} files still hold what is to be erased: {shown}.",
            "They are neither tables nor files of lines, so only a person can say what to do with them.",
            "Remove or replace them and repeat the erasure.",
        )
    content = json.dumps({**asdict(certificate), "digest": certificate.digest}, indent=1)
    write_private(settings.home / "erasures" / f"{certificate.id}.json", content.encode())
    ledger.append(settings, "erasure", {"event": "certified", **facts})
    return certificate


def refuse_tokens(settings: Settings, tokens: Sequence[str]) -> None:
    """Let pseudonymisation refuse tokens: a commitment under the lake's own key to each, on disk before it returns."""
    import pyarrow as pa

    root = str(settings.keys / "root.key")
    path = erased_file(settings.keys, generation(root))
    before = set(path.read_text(encoding="utf-8").split()) if path.is_file() else set()
    after = before | set(token_batch(root, "erased", pa.array(tokens, pa.string())).to_pylist())
    if after != before:
        write_private(path, ("\n".join(sorted(after)) + "\n").encode())


def study_tokens(settings: Settings, tokens: Sequence[str]) -> list[str]:
    """What the same persons and records are called in every study."""
    import pyarrow as pa

    made: list[str] = []
    for path in sorted((settings.keys / "studies").glob("*.key")):
        made += token_batch(str(path), "study", pa.array(tokens, pa.string())).to_pylist()
    return made


@contextmanager
def staged(lake: Lake, tokens: Sequence[str]) -> Iterator[DataFrame]:
    """Tokens as a frame read from a file: as literals they would stand in plans and in the tables' history."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = private_folder(lake.settings.home / "erasures" / f"staged-{secrets.token_hex(4)}")
    path = folder / "tokens.parquet"
    try:
        pq.write_table(pa.table({"erased_token": pa.array(sorted(set(tokens)), pa.string())}), path)
        yield lake.spark.read.schema("erased_token STRING").parquet(str(path))
    finally:
        with path.open("r+b") as handle:
            handle.write(os.urandom(path.stat().st_size))
        shutil.rmtree(folder)


def record_keys(lake: Lake, tables: Sequence[TokenTable], own: DataFrame) -> list[str]:
    """Tokens of records that are about these persons alone: contacts, courses, procedures, results.

    A key that also stands in a row about somebody else is shared and left out.
    """
    found: set[str] = set(collect(keys_beside(lake.spark, tables, own, of_subject=True)))
    for _ in range(ROUNDS):
        if not found:
            break
        with staged(lake, sorted(found)) as known:
            shared = set(collect(keys_of_others(lake.spark, tables, known, own)))
            more = set(collect(keys_beside(lake.spark, tables, known, of_subject=False)))
        found -= shared
        if not more - found - shared:
            break
        found |= more - shared
    return sorted(found)


def keys_beside(
    spark: SparkSession, tables: Sequence[TokenTable], known: DataFrame, *, of_subject: bool
) -> list[DataFrame]:
    """Record keys in rows about known persons, or beside known record keys in rows without a subject."""
    from pyspark.sql import functions as fn

    frames = []
    for table in tables:
        if not table.keys or (of_subject and not table.subject) or (not of_subject and table.subject):
            continue
        rows = rows_of(spark, table.path)
        by = table.subject if of_subject else table.keys
        places = fn.explode(fn.array(*(fn.col(name) for name in by)))
        looked = rows.select(fn.array(*table.keys).alias("keys"), places.alias("erased_token"))
        met = looked.join(fn.broadcast(known), "erased_token", "left_semi")
        frames.append(met.select(fn.explode("keys").alias("key")).where("key IS NOT NULL"))
    return frames


def keys_of_others(
    spark: SparkSession, tables: Sequence[TokenTable], known: DataFrame, own: DataFrame
) -> list[DataFrame]:
    """Which known record keys stand in rows about somebody else."""
    from pyspark.sql import functions as fn

    frames = []
    for table in tables:
        if table.keys and table.subject:
            rows = rows_of(spark, table.path)
            subject = fn.coalesce(*(fn.col(name) for name in table.subject))
            keys = fn.explode(fn.array(*table.keys))
            pairs = rows.select(subject.alias("subject"), keys.alias("erased_token")).where(
                "subject IS NOT NULL AND erased_token IS NOT NULL"
            )
            met = pairs.join(fn.broadcast(known), "erased_token", "left_semi")
            others = met.join(fn.broadcast(own), fn.col("subject") == own["erased_token"], "left_anti")
            frames.append(others.select(fn.col("erased_token").alias("key")))
    return frames


def collect(frames: Sequence[DataFrame]) -> list[str]:
    """Distinct values of all frames, in one job."""
    if not frames:
        return []
    return [row[0] for row in united(frames).distinct().collect()]


def united(frames: Sequence[DataFrame]) -> DataFrame:
    """The rows of all frames, of which there is one at least."""
    return reduce(lambda whole, frame: whole.unionByName(frame), frames)


def hits(
    spark: SparkSession, tables: Sequence[TokenTable], gone: DataFrame, *, only_keys: bool
) -> dict[Path, dict[str, int]]:
    """Rows in which the erased stand, by table and column, from one job over all tables; tables without any are left out.

    ``only_keys`` leaves relatives aside.
    """
    from pyspark.sql import functions as fn

    frames = []
    for number, table in enumerate(tables):
        names = (*table.subject, *table.keys, *(() if only_keys else table.others))
        if not names:
            continue
        places = fn.explode(
            fn.array(
                *(fn.struct(fn.lit(name).alias("name"), fn.col(name).alias("erased_token")) for name in names)
            )
        )
        looked = rows_of(spark, table.path).select(fn.lit(number).alias("number"), places.alias("place"))
        frames.append(looked.select("number", "place.name", "place.erased_token"))
    found: defaultdict[Path, dict[str, int]] = defaultdict(dict)
    if frames:
        met = united(frames).join(fn.broadcast(gone), "erased_token", "left_semi")
        for row in met.groupBy("number", "name").count().collect():
            found[tables[row["number"]].path][row["name"]] = int(row["count"])
    return dict(found)


def each_in_a_session(
    spark: SparkSession,
    tables: Sequence[TokenTable],
    work: Callable[[SparkSession, TokenTable], None],
    tell: Callable[[int, int], None],
) -> None:
    """Do a piece of work for every table, a few at once, each under settings of its own; the first failure is raised.

    ``tell`` is given the tables done and all of them.
    """

    def alone(table: TokenTable) -> None:
        session = spark.newSession()
        with purging(session):
            work(session, table)

    if tables:
        tell(0, len(tables))
    with ThreadPoolExecutor(_TABLES_AT_ONCE) as pool:
        for done, _ in enumerate(pool.map(alone, tables), 1):
            tell(done, len(tables))


def delete(
    settings: Settings,
    staged_files: Sequence[str],
    found: Mapping[Path, Mapping[str, int]],
    spark: SparkSession,
    table: TokenTable,
) -> None:
    """Delete a table's rows about the erased, and blank them where they stand as relatives.

    ``found`` says in which columns they stand (:func:`hits`), ``staged_files`` hold the erased tokens. What tells a
    delivered row when it comes again is forgotten first.
    """
    from pyspark.sql import functions as fn

    gone = spark.read.schema("erased_token STRING").parquet(*staged_files)
    columns = (*table.subject, *table.keys)
    if table.path.parent.name == "bronze":
        named = fn.explode(fn.array(*(fn.col(name) for name in columns))).alias("erased_token")
        mine = (
            rows_of(spark, table.path)
            .select("file_id", "row_number", named)
            .join(fn.broadcast(gone), "erased_token", "left_semi")
        )
        places = mine.select("file_id", "row_number").distinct().collect()
        forget_rows(settings, table.path.name, [(row[0], row[1]) for row in places])
    gone.createOrReplaceTempView("erased_tokens")
    with noted(spark, stamp_of(table.path)):
        for name in (name for name in columns if name in found[table.path]):
            spark.sql(
                f"MERGE INTO {table.sql} t USING erased_tokens e ON t.`{name}` = e.erased_token "
                "WHEN MATCHED THEN DELETE"
            )
        for name in (name for name in table.others if name in found[table.path]):
            spark.sql(
                f"MERGE INTO {table.sql} t USING erased_tokens e ON t.`{name}` = e.erased_token "
                f"WHEN MATCHED THEN UPDATE SET `{name}` = NULL"
            )
    spark.catalog.dropTempView("erased_tokens")


def purge(spark: SparkSession, table: TokenTable) -> None:
    """Rewrite what only hides deleted rows, and remove every file the newest version does not need.

    Where the log shows that files alone make up the version, no row is hidden, and removing the others is all.
    """
    live = live_files(table.path)
    if live is not None:
        needed = {table.path / unquote(path) for path in live.files}
        for file in sorted(table.path.rglob("*")):
            if file.is_file() and "_delta_log" not in file.parts and file not in needed:
                file.unlink()
        return
    with noted(spark, stamp_of(table.path)):
        spark.sql(f"REORG TABLE {table.sql} APPLY (PURGE)").collect()
        spark.sql(f"VACUUM {table.sql} RETAIN 0 HOURS").collect()


def clear(
    lake: Lake,
    tables: Sequence[TokenTable],
    touched: set[Path],
    needles: list[bytes],
    tell: Progress,
) -> tuple[int, int, Scan]:
    """Purge touched tables, search everything, purge and clean what is found, search again.

    Returns the tables purged, the files cleaned and the last search.
    """
    by_path = {table.path: table for table in tables}
    each_in_a_session(
        lake.spark, [by_path[path] for path in sorted(touched)], purge, partial(tell, "Purging old files")
    )
    tell("Searching all files", 0, 1)
    first = scan(lake.settings.home, needles)
    dirty = {path for path in by_path if any(path in each.parents for each in first.found)} - touched
    each_in_a_session(
        lake.spark, [by_path[path] for path in sorted(dirty)], purge, partial(tell, "Purging what is left")
    )
    cleaned = 0
    for each in first.found:
        if each.exists() and not any(path in each.parents for path in by_path):
            temporary = lake.settings.scratch in each.parents
            if temporary:
                each.unlink()
            cleaned += temporary or clean(each, needles)
    last = scan(lake.settings.home, needles) if first.found else first
    return len(touched | dirty), cleaned, last


def forget_in_vault(settings: Settings, persons: Sequence[str]) -> bool:
    """Shred the persons in the vault; False where the vault belongs to another account."""
    if not os.access(settings.vault / "inbox.key", os.R_OK):
        return False
    vault = open_vault(settings)
    vault.collect()
    vault.shred(persons)
    return True


def renumber(settings: Settings, new: Callable[[Sequence[str]], Sequence[str]]) -> None:
    """Put other tokens into the index by which receipts count persons.

    Places stay as they are, because sets of persons are kept by place.
    """
    index = PersonSets(settings).index
    if not index.is_file():
        return
    content = index.read_bytes()
    entries = [content[at : at + TOKEN_BYTES] for at in range(0, len(content), TOKEN_BYTES)]
    changed = [bytes.fromhex(token) for token in new([entry.hex() for entry in entries])]
    if changed != entries:
        write_private(index, b"".join(changed))


def note_gold(settings: Settings) -> None:
    """Move what readers pin to the versions that are left: the earlier ones cannot be read any more."""
    path = versions_file(settings)
    if path.is_file():
        noted_versions = json.loads(path.read_text(encoding="utf-8"))
        noted_versions["versions"] = {name: newest_version(table_path(settings, name)) for name in GOLD}
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(noted_versions, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)


@contextmanager
def purging(spark: SparkSession) -> Iterator[None]:
    """Let VACUUM remove everything at once, with few tasks, and put the session's settings back after."""
    wanted = {
        "spark.databricks.delta.retentionDurationCheck.enabled": "false",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    }
    with configured(spark, wanted):
        yield


@contextmanager
def noted(spark: SparkSession, stamp: str | None) -> Iterator[None]:
    """Commits inside the block bear the note the table had, so that gold is not taken for outdated."""
    with configured(spark, {"spark.databricks.delta.commitInfo.userMetadata": stamp} if stamp else {}):
        yield


@contextmanager
def configured(spark: SparkSession, wanted: dict[str, str]) -> Iterator[None]:
    """Settings for a while."""
    before = {name: spark.conf.get(name, None) for name in wanted}
    for name, value in wanted.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, old)
