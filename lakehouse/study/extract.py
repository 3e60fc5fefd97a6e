"""A study's extract: its tables, columns, rows, days and tokens cut out of the lake, so that a job needs nothing else.

It is what the Sealed level hands to a job. Every table has the columns granted in any way, the rows the row rules
leave, the study's own pseudonyms, and no column statistics in its log. Who lies in it is kept with the keys, and a
commitment to it in the ledger.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.data_model import GOLD
from lakehouse.delivery.register import lake_kind
from lakehouse.delta.tables import create_table
from lakehouse.errors import ConfigurationError, PermissionRefused
from lakehouse.governance.access.counting import count_reads
from lakehouse.governance.access.person_sets import PersonSets
from lakehouse.governance.access.platform_reads import platform_at_work
from lakehouse.governance.ledger import ledger
from lakehouse.governance.permits.files import EXTRACT_MANIFEST
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.lake import Lake
    from lakehouse.study.session import Study


@dataclass(frozen=True)
class Extract:
    """What an extract was cut from, when, by which rules, and what it holds; no counts of persons."""

    study: str
    permit: str
    permit_hash: str
    opt_outs: str
    versions: Mapping[str, int]
    columns: Mapping[str, list[str]]
    made: str
    valid_to: str
    reading: str
    commitment: str
    kind: str
    cohort: str = "all"
    source: Mapping[str, int] = field(default_factory=dict)


def extract_folder(settings: Settings, study_id: str) -> Path:
    """Where a study's extract lies: outside the lake, beside the keys it must not hold."""
    return settings.home / "sealed" / study_id


def manifest(settings: Settings, study_id: str) -> Extract:
    """What is known of a study's extract.

    Raises :class:`ConfigurationError` where no extract was cut.
    """
    path = extract_folder(settings, study_id) / EXTRACT_MANIFEST
    if not path.is_file():
        raise ConfigurationError(
            f"Study '{study_id}' has no extract.",
            "At the Sealed level a job sees an extract and nothing else.",
            f"Cut one: patternlake study seal {study_id}.",
        )
    return Extract(**json.loads(path.read_text("utf-8")))


def seal(lake: Lake, study: Study) -> Extract:
    """Cut the extract of a study; the old one is replaced when the new one is whole.

    ``study`` is opened for its rules and stays closed: the cutting is the platform's own reading, on the ledger
    under the extract's name.
    """
    rules, permit = study.rules, study.permit
    final = extract_folder(lake.settings, study.id)
    fresh = final.with_name(f"{study.id}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    intent = {"run": f"seal {study.reading}", "study": study.id, "permit": permit.hash}
    ledger.append(lake.settings, "intent", intent)
    columns, everybody = {}, _nobody()
    sets = PersonSets(lake.settings)
    with platform_at_work():
        for table in permit.tables:
            if table in rules.versions:
                columns[table] = list(permit.uses(table))
                _write(
                    lake.spark,
                    rules.narrow(lake.spark, table, columns[table]).alias(rules.label(table)),
                    fresh,
                    table,
                )
                _, persons = count_reads(lake.spark, rules, table, {()}, sets)
                everybody |= persons if persons is not None else _nobody()
    commitment = sets.store(study.reading, everybody)
    made = Extract(
        study=study.id,
        permit=permit.permit_id,
        permit_hash=permit.hash,
        opt_outs=study.opt_outs,
        versions=dict.fromkeys(columns, 1),
        columns=columns,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        valid_to=str(permit.valid_to),
        reading=study.reading,
        commitment=commitment,
        kind=lake_kind(lake.settings),
        cohort=study.definition.cohort,
        source=dict(rules.versions),
    )
    _finish(lake.settings, study, made, fresh, final)
    reads = sorted(f"{table}@{version}" for table, version in made.source.items() if table in columns)
    receipt = {**intent, "reading": study.reading, "reads": reads, "state": "accounted", "verdict": "sealed"}
    ledger.append(lake.settings, "receipt", {**receipt, "extract": digest_of(made), "actor": study.actor})
    return made


def digest_of(extract: Extract) -> str:
    """SHA-256 over what an extract says of itself."""
    return hashlib.sha256(json.dumps(asdict(extract), sort_keys=True).encode()).hexdigest()


def _write(spark: SparkSession, frame: DataFrame, folder: Path, table: str) -> None:
    """One table: created empty without column statistics, then filled in the order of its own tokens, which follow
    no order of the lake.
    """
    path = folder / "lake" / table.replace(".", "/")
    types = {column.name: column.type for column in GOLD[table].columns}
    create_table(spark, path, ", ".join(f"`{name}` {types[name]}" for name in frame.columns))
    tokens = [name for name in ("person_id", "spell_id", "code_id") if name in frame.columns]
    ordered = frame.sortWithinPartitions(tokens[0]) if tokens else frame
    ordered.write.format("delta").mode("append").save(str(path))


def _finish(settings: Settings, study: Study, made: Extract, fresh: Path, final: Path) -> None:
    """Everything besides the tables; then the new extract takes the old one's place."""
    (fresh / "lake" / "lake.toml").write_text(f'kind = "{made.kind}"\nextract = true\n', "utf-8")
    for kind, name in (("permits", made.permit), ("studies", study.id)):
        place = fresh / "conf" / kind / f"{name}.toml"
        place.parent.mkdir(parents=True, exist_ok=True)
        source = settings.definition(kind, name)
        shutil.copyfile(source, place)
        if (signatures := source.with_suffix(".sig.json")).is_file():
            shutil.copyfile(signatures, place.with_suffix(".sig.json"))
    (fresh / EXTRACT_MANIFEST).write_text(json.dumps(asdict(made), indent=2), "utf-8")
    old = final.with_name(f"{study.id}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    fresh.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def refuse_stale(extract: Extract, study_id: str, permit_hash: str, opt_outs: str, cohort: str) -> None:
    """Refuse an extract that permit, cohort or opt-outs have moved past: they hold at the time of action.

    Raises :class:`PermissionRefused` then, naming what has changed.
    """
    changed = [
        what
        for what, before, now in (
            ("the permit", extract.permit_hash, permit_hash),
            ("the opt-out list", extract.opt_outs, opt_outs),
            ("the cohort", extract.cohort, cohort),
        )
        if before != now
    ]
    if changed:
        raise PermissionRefused(
            f"The extract of study '{study_id}' is out of date: {' and '.join(changed)} changed since {extract.made}.",
            "A job may see only what is allowed on the day it runs.",
            f"Cut it anew: patternlake study seal {study_id}.",
        )


def purge(settings: Settings, today: date) -> list[str]:
    """Delete the extracts whose permit has ended; their studies."""
    gone = []
    for path in sorted((settings.home / "sealed").glob(f"*/{EXTRACT_MANIFEST}")):
        extract = Extract(**json.loads(path.read_text("utf-8")))
        if date.fromisoformat(extract.valid_to) < today:
            shutil.rmtree(path.parent)
            ledger.append(settings, "purge", {"study": extract.study, "extract": digest_of(extract)})
            gone.append(extract.study)
    return gone


def _nobody() -> Any:
    from pyroaring import BitMap

    return BitMap()
