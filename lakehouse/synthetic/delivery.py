"""Makes a synthetic region on Spark: blocks in parallel, one file each at the end, the truth beside them."""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import UsageError
from lakehouse.settings import Settings, load_settings
from lakehouse.synthetic.rates import Rates

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

    from lakehouse.synthetic.catalogue import Catalogue

BLOCK = 2500
"""Persons simulated together. A block is a pure function of (seed, block), whatever partition it lands in."""
MOST_BLOCKS = 1999
TALLY_SCHEMA = "path STRING, what STRING, number BIGINT"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class SynthSummary:
    """What was made: where it lies, rows by file, spoiled rows by file and kind, and the size of the truth."""

    delivery: Path
    truth: Path
    persons: int
    seed: int
    rows: dict[str, int] = field(default_factory=dict)
    defects: dict[str, dict[str, int]] = field(default_factory=dict)
    planted: dict[str, int] = field(default_factory=dict)

    @property
    def total_rows(self) -> int:
        """Rows of all files together."""
        return sum(self.rows.values())


def synthesise(
    spark: SparkSession,
    settings: Settings | None,
    out: Path,
    persons: int,
    seed: int,
    *,
    defects: float = 0.0,
    years: tuple[int, int] = (2017, 2024),
    rates: Rates | None = None,
    progress: Progress | None = None,
) -> SynthSummary:
    """Write ``out/delivery`` (files as a region would deliver them) and ``out/truth.json`` (mode 0600).

    The same arguments give the same bytes, however Spark cuts the work. Everything is made in a hidden folder
    and renamed at the end, ``delivery.toml`` last, so a half-written delivery never looks finished.
    """
    if persons < 1 or not 0 <= defects <= 0.5 or years[0] > years[1]:
        raise UsageError("A region needs persons, a share of defects up to 0.5 and years in order.")
    from lakehouse.synthetic.catalogue import LISTS, load_catalogue

    known = settings or load_settings()
    catalogue = load_catalogue({name: known.codelist(f"{name}.csv") for name in LISTS}, years)
    report = progress or (lambda step, done, total: None)
    out = Path(out).absolute()
    out.mkdir(parents=True, exist_ok=True)
    work = out / f".making-{uuid.uuid4().hex[:8]}"
    try:
        tallies = simulate(spark, catalogue, rates or Rates(), work, persons, seed, defects, report)
        finish_files(catalogue, work, report)
        return publish(catalogue, rates or Rates(), out, work, persons, seed, defects, tallies)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def blocks_of(persons: int) -> list[tuple[int, int]]:
    """(block, persons in it); blocks grow only where a country would need more than there are CPR slots."""
    size = max(BLOCK, -(-persons // MOST_BLOCKS))
    return [(number, min(size, persons - number * size)) for number in range(-(-persons // size))]


def simulate(
    spark: SparkSession,
    catalogue: Catalogue,
    rates: Rates,
    work: Path,
    persons: int,
    seed: int,
    defects: float,
    report: Progress,
) -> list[tuple[str, str, int]]:
    """Run every block on Spark; the parts lie below ``work/parts``. Gives the tallies of all parts."""
    blocks = blocks_of(persons)
    parts, done = work / "parts", work / "done"
    done.mkdir(parents=True)

    def run(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        import pandas as pd

        from lakehouse.synthetic.block import build_world, make_block
        from lakehouse.synthetic.parts import write_block

        world = build_world(catalogue, rates, seed)
        for frame in frames:
            for number, count in zip(frame["block"], frame["count"], strict=True):
                tallies = write_block(make_block(world, int(number), int(count)), world, parts, defects)
                (done / str(number)).touch()
                yield pd.DataFrame(tallies, columns=["path", "what", "number"])

    slices = min(len(blocks), 8 * spark.sparkContext.defaultParallelism)
    frame = spark.createDataFrame(blocks, "block INT, count INT").repartition(slices)
    with Watch(done, len(blocks), report):
        found = frame.mapInPandas(run, TALLY_SCHEMA).groupBy("path", "what").sum("number").collect()
    return [(row[0], row[1], int(row[2])) for row in found]


class Watch:
    """Reports how many blocks are done while Spark works."""

    def __init__(self, folder: Path, total: int, report: Progress) -> None:
        self.folder, self.total, self.report = folder, total, report
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self) -> None:
        """Report every second until stopped."""
        while not self.stop.wait(1.0):
            self.report("simulate", sum(1 for _ in self.folder.iterdir()), self.total)

    def __enter__(self) -> Watch:
        self.report("simulate", 0, self.total)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()
        self.report("simulate", sum(1 for _ in self.folder.iterdir()), self.total)


def file_headers(years: tuple[int, int]) -> dict[str, bytes]:
    """Path and header of every file of a delivery."""
    from lakehouse.synthetic.layout import KINDS

    spans = range(years[0], years[1] + 1)
    return {
        kind.path(year): kind.header()
        for kind in KINDS.values()
        for year in (spans if kind.yearly else (None,))
    }


def finish_files(catalogue: Catalogue, work: Path, report: Progress) -> None:
    """Join the parts of every file behind its header, parts in the order of blocks."""
    from lakehouse.synthetic.layout import KINDS
    from lakehouse.synthetic.parts import encode
    from lakehouse.synthetic.registers import organisation_rows

    headers = file_headers(catalogue.years)
    organisations = work / "parts" / KINDS["organisations"].path()
    organisations.mkdir(parents=True)
    rows = organisation_rows(catalogue)
    (organisations / "000000").write_bytes(encode(rows, KINDS["organisations"]))
    report("join", 0, len(headers))

    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(join_parts, work / "parts" / path, work / "delivery" / path, header)
            for path, header in headers.items()
        ]
        for done, job in enumerate(jobs, 1):
            job.result()
            report("join", done, len(headers))


def join_parts(parts: Path, target: Path, header: bytes) -> None:
    """Header and all parts in one file; parts are removed as they are taken over."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".tmp")
    with temporary.open("wb") as whole:
        whole.write(header)
        for part in sorted(parts.iterdir()) if parts.is_dir() else []:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole, 1 << 20)
            part.unlink()
    temporary.replace(target)


def publish(
    catalogue: Catalogue,
    rates: Rates,
    out: Path,
    work: Path,
    persons: int,
    seed: int,
    defects: float,
    tallies: list[tuple[str, str, int]],
) -> SynthSummary:
    """Write the truth, then put the finished delivery in place of an older one."""
    from lakehouse.synthetic.block import build_world
    from lakehouse.synthetic.truth import describe_truth

    rows: dict[str, int] = {}
    others: dict[str, dict[str, int]] = defaultdict(dict)
    for path, what, number in sorted(tallies):
        if what == "rows":
            rows[path] = number
        else:
            others[path][what] = number
    truth = describe_truth(build_world(catalogue, rates, seed))
    truth |= {"persons": persons, "share_spoiled": defects, "rows": rows, "book": dict(others)}
    write_private(out / "truth.json", truth)
    years = catalogue.years
    toml = (
        f'format = "danish"\nkind = "synthetic"\ndelivered = {date(years[1] + 1, 1, 15)}\n'
        f"covers_from = {date(years[0], 1, 1)}\ncovers_to = {date(years[1], 12, 31)}\n"
    )
    (work / "delivery" / "delivery.toml").write_text(toml, encoding="utf-8")
    final, old = out / "delivery", work / "replaced"
    if final.exists():
        final.rename(old)
    (work / "delivery").rename(final)
    counts = {
        name: len(truth[name]) for name in ("planted", "trajectories", "harms", "decoys", "indications")
    }
    return SynthSummary(final, out / "truth.json", persons, seed, rows, dict(others), counts)


def write_private(path: Path, content: dict[str, Any]) -> None:
    """A JSON file only its owner can read, from its first byte on."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1, ensure_ascii=False)
    temporary.replace(path)
