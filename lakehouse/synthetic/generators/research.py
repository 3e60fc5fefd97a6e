"""Research samples of people with cancer, and the variants found in them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.drawing import occasions, texts, with_disease
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.registers import choose, dates, text

SAMPLES = FileKind(
    "forskning",
    "samples",
    "utf-8",
    columns("patientid SAMPLE_ID biobank material box position date alias project"),
    form="parquet",
)
VARIANTS = FileKind(
    "forskning",
    "variants",
    "utf-8",
    columns("sample_no Gene Transcript_ID g.code c.code p.code Exon VAF Count Coverage"),
)
GENES = ("TP53", "KRAS", "EGFR", "BRCA1", "BRCA2", "PIK3CA", "JAK2", "NPM1")
MATERIALS = ("BLOOD", "PLASMA", "BONE_MARROW", "TUMOUR")


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """A manifest of samples (Parquet) and one row a variant (text, VAF with per cent sign or decimal comma)."""
    rng, people = planter.rng, block.people
    sick = with_disease(block, world, "C50", "C61", "C18", "C34") <= world.calendar.last
    person, day = occasions(rng, block, world, np.where(sick, 0.15, 0.001))
    count = len(person)
    number = 60_000_000 + block.number * 10_000 + np.arange(count)
    yield Rows(
        SAMPLES,
        {
            "patientid": numbers(people, person, day),
            "SAMPLE_ID": text(number),
            "biobank": choose(("RBGB", "DCB"), rng.integers(0, 2, count)),
            "material": choose(MATERIALS, rng.integers(0, len(MATERIALS), count)),
            "box": text(1 + number % 400),
            "position": text(1 + number % 81),
            "date": dates(day),
            "alias": text(number + 500_000_000),
            "project": choose(("P-2019-11", "P-2021-04"), rng.integers(0, 2, count)),
        },
    )
    sample = np.repeat(np.arange(count), rng.poisson(1.2, count))
    share = rng.beta(2, 5, len(sample)) * 100
    percent = rng.random(len(sample)) < 0.5
    yield Rows(
        VARIANTS,
        {
            "sample_no": text(number[sample]),
            "Gene": choose(GENES, rng.integers(0, len(GENES), len(sample))),
            "Transcript_ID": texts(f"NM_{k:06d}.3" for k in rng.integers(1, 999_999, len(sample))),
            "g.code": texts(f"g.{k}C>T" for k in rng.integers(10**6, 10**8, len(sample))),
            "c.code": texts(f"c.{k}C>T" for k in rng.integers(10, 3000, len(sample))),
            "p.code": texts(f"p.R{k}H" for k in rng.integers(10, 900, len(sample))),
            "Exon": text(rng.integers(1, 24, len(sample))),
            "VAF": texts(
                f"{v:.1f}%".replace(".", ",") if p else f"{v / 100:.3f}".replace(".", ",")
                for v, p in zip(share.tolist(), percent.tolist(), strict=True)
            ),
            "Count": text(rng.integers(5, 400, len(sample))),
            "Coverage": text(rng.integers(400, 3000, len(sample))),
        },
    )


GENERATOR = Generator("research", (SAMPLES, VARIANTS), rows)
