"""Makes a synthetic region on Spark: blocks in parallel, one file each at the end, the truth beside them."""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import UsageError
from lakehouse.settings import Settings, load_settings
from lakehouse.synthetic.generator import (
    PLANTED,
    Generator,
    all_generators,
    chosen_generators,
    known_defect_rates,
    planted_defects,
)
from lakehouse.synthetic.rates import Rates

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

    from lakehouse.synthetic.catalogue import Catalogue
    from lakehouse.synthetic.layout import FileKind

BLOCK = 2500
"""Persons simulated together. A block is a pure function of (seed, block), whatever partition it lands in."""
MOST_BLOCKS = 1999
Tally = tuple[str, str, int]
"""A file's path (or ``PLANTED``, for known defects), what is counted, and the number."""
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


@dataclass(frozen=True)
class Order:
    """What is to be made, as it travels to the workers (generators by name)."""

    catalogue: Catalogue
    rates: Rates
    persons: int
    seed: int
    defects: float
    generator_names: tuple[str, ...]
    known_defects: dict[str, float]

    @property
    def generators(self) -> tuple[Generator, ...]:
        """The further sources."""
        return tuple(all_generators()[name] for name in self.generator_names)


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
    sources: str = "default",
    known_defects: str = "",
    progress: Progress | None = None,
) -> SynthSummary:
    """Write ``out/delivery`` (files as a region would deliver them) and ``out/truth.json`` (mode 0600).

    The same arguments give the same bytes, however Spark cuts the work. Everything is made in a hidden folder
    and renamed at the end, ``delivery.toml`` last, so a half-written delivery never looks finished.
    ``sources`` adds further sources (``all``, or their names), ``known_defects`` switches some
    on (``T14,T23=0.05``).
    Raises :class:`UsageError` for arguments that no region can be made of, and where the folder is there already.
    """
    if persons < 1 or not 0 <= defects <= 0.5 or years[0] > years[1]:
        raise UsageError("A region needs persons, a share of defects up to 0.5 and years in order.")
    from lakehouse.synthetic.catalogue import LISTS, load_catalogue

    known = settings or load_settings()
    catalogue = load_catalogue({name: known.codelist(f"{name}.csv") for name in LISTS}, years)
    report = progress or (lambda step, done, total: None)
    out = Path(out).absolute()
    work = out / f".making-{uuid.uuid4().hex[:8]}"
    generators = chosen_generators(sources)
    switched = known_defect_rates(known_defects, defects, generators)
    names = tuple(generator.name for generator in generators)
    order = Order(catalogue, rates or Rates(), persons, seed, defects, names, switched)
    out.mkdir(parents=True, exist_ok=True)
    try:
        tallies = simulate(spark, order, work, report)
        tallies += finish_files(order, work, report)
        return publish(order, out, work, tallies)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def blocks_of(persons: int) -> list[tuple[int, int]]:
    """(block, persons in it); blocks grow only where a country would need more than there are CPR slots."""
    size = max(BLOCK, -(-persons // MOST_BLOCKS))
    return [(number, min(size, persons - number * size)) for number in range(-(-persons // size))]


def simulate(spark: SparkSession, order: Order, work: Path, report: Progress) -> list[Tally]:
    """Run every block on Spark; the parts lie below ``work/parts``. Gives the tallies of all parts."""
    blocks = blocks_of(order.persons)
    parts, done = work / "parts", work / "done"
    done.mkdir(parents=True)

    def run(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        import pandas as pd

        from lakehouse.synthetic.block import build_world, make_block
        from lakehouse.synthetic.parts import write_block

        world = build_world(order.catalogue, order.rates, order.seed)
        for frame in frames:
            for number, count in zip(frame["block"], frame["count"], strict=True):
                block = make_block(world, int(number), int(count))
                tallies = write_block(
                    block, world, parts, order.defects, order.generators, order.known_defects
                )
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
    """Path and header of every file of a delivery of the default sources."""
    return {path: kind.header() for path, kind in file_kinds(years, ()).items()}


def file_kinds(years: tuple[int, int], generators: Sequence[Generator]) -> dict[str, FileKind]:
    """Path and kind of every file of a delivery."""
    from lakehouse.synthetic.layout import KINDS

    replaced = {name for generator in generators for name in generator.replaces}
    kinds = [kind for name, kind in KINDS.items() if name not in replaced]
    kinds += [kind for generator in generators for kind in generator.files]
    spans = range(years[0], years[1] + 1)
    return {kind.path(year): kind for kind in kinds for year in (spans if kind.yearly else (None,))}


def finish_files(order: Order, work: Path, report: Progress) -> list[Tally]:
    """Write what belongs to no person and join the parts of every file behind its header, in the order of blocks."""
    from lakehouse.synthetic.block import build_world
    from lakehouse.synthetic.forms import encode, join_parts
    from lakehouse.synthetic.layout import KINDS
    from lakehouse.synthetic.parts import write_generated, write_part
    from lakehouse.synthetic.registers import organisation_rows

    kinds = file_kinds(order.catalogue.years, order.generators)
    tallies: list[Tally] = []
    organisations = KINDS["organisations"]
    if organisations.path() in kinds:
        data = encode(organisation_rows(order.catalogue), organisations)
        write_part(work / "parts" / organisations.path(), 0, data)
    for generator in order.generators:
        if generator.once is not None:
            planter = generator.planter(order.seed, -1, order.known_defects)
            world = build_world(order.catalogue, order.rates, order.seed)
            tallies += (
                write_generated(generator.once(world, planter), world, work / "parts", 0) + planter.tallies()
            )
    report("join", 0, len(kinds))
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(join_parts, work / "parts" / path, work / "delivery" / path, kind)
            for path, kind in kinds.items()
        ]
        for done, job in enumerate(jobs, 1):
            job.result()
            report("join", done, len(kinds))
    return tallies


def publish(order: Order, out: Path, work: Path, tallies: Sequence[Tally]) -> SynthSummary:
    """Write the truth, then put the finished delivery in place of an older one."""
    from lakehouse.synthetic.block import build_world
    from lakehouse.synthetic.truth import describe_truth

    rows: dict[str, int] = {}
    others: dict[str, dict[str, int]] = defaultdict(dict)
    for path, what, number in sorted(tallies):
        if what == "rows":
            rows[path] = rows.get(path, 0) + number
        elif path != PLANTED:
            others[path][what] = number
    truth = describe_truth(build_world(order.catalogue, order.rates, order.seed))
    truth |= {"persons": order.persons, "share_spoiled": order.defects, "rows": rows, "book": dict(others)}
    truth |= {
        "sources": order.generator_names,
        "traps": planted_defects(summed(tallies), order.known_defects),
    }
    write_private(out / "truth.json", truth)
    years = order.catalogue.years
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
    return SynthSummary(final, out / "truth.json", order.persons, order.seed, rows, dict(others), counts)


def summed(tallies: Sequence[Tally]) -> list[Tally]:
    """Tallies of one thing added up."""
    total: dict[tuple[str, str], int] = defaultdict(int)
    for path, what, number in tallies:
        total[path, what] += number
    return [(path, what, number) for (path, what), number in total.items()]


def write_private(path: Path, content: dict[str, Any]) -> None:
    """A JSON file only its owner can read, from its first byte on."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1, ensure_ascii=False)
    temporary.replace(path)
