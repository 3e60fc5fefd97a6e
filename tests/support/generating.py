"""Further sources of one small block as a delivery on disk, made without Spark, with what was planted in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lakehouse.settings import load_settings
from lakehouse.synthetic.block import Block, World, build_world, make_block
from lakehouse.synthetic.catalogue import LISTS, load_catalogue
from lakehouse.synthetic.delivery import file_kinds
from lakehouse.synthetic.forms import join_parts
from lakehouse.synthetic.generator import Generator, all_generators
from lakehouse.synthetic.parts import write_generated
from lakehouse.synthetic.rates import Rates

Expected = Counter[tuple[str, str, str]]


@cache
def small_block(seed: int, persons: int = 700) -> tuple[World, Block]:
    """A world and its first block."""
    settings = load_settings(profile="test")
    catalogue = load_catalogue({name: settings.codelist(f"{name}.csv") for name in LISTS}, (2017, 2024))
    world = build_world(catalogue, Rates(), seed)
    return world, make_block(world, 0, persons)


def deliver(
    folder: Path, names: Iterable[str], seed: int, rate: float = 0.05
) -> tuple[Path, dict[str, int], Expected]:
    """Files of some generators with all their known defects on: the delivery, rows by file, and what is expected where."""
    world, block = small_block(seed)
    parts, root = folder / "parts", folder / "delivery"
    counts: Counter[str] = Counter()
    expected: Expected = Counter()
    generators: list[Generator] = [all_generators()[name] for name in names]
    for generator in generators:
        rates = dict.fromkeys(generator.known_defects, rate)
        for number, make in ((0, generator.rows), (-1, generator.once)):
            if make is None:
                continue
            planter = generator.planter(world.seed, number, rates)
            made = generator.rows(block, world, planter) if number == 0 and generator.rows else ()
            made = generator.once(world, planter) if number == -1 and generator.once else made
            for path, _, rows in write_generated(made, world, parts, number + 1):
                counts[path] += rows
            expected.update(planter.expected)
    for path, kind in file_kinds(world.catalogue.years, generators).items():
        if (parts / path).is_dir():
            join_parts(parts / path, root / path, kind)
    note = 'format = "danish"\nkind = "synthetic"\ndelivered = 2025-01-15\n'
    (root / "delivery.toml").write_text(note + "covers_from = 2017-01-01\ncovers_to = 2024-12-31\n")
    return root, dict(counts), expected
