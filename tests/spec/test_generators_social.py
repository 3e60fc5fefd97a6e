"""Generators of primary care, municipality, quality, social and reference sources: as declared, as planted, balanced."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.declarations.helpers import codelist
from lakehouse.delivery import survey as surveying
from lakehouse.delivery.find import dated_by, find_delivery, series_name
from lakehouse.delivery.readers.blocks import Part
from lakehouse.governance.output_gate.gate import verdict
from lakehouse.governance.output_gate.reasons import Rule
from lakehouse.governance.output_gate.tables import CountTable
from lakehouse.governance.suppression.disclosure import Thresholds
from lakehouse.governance.suppression.totals import small_counts
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.ingest.pseudonymise import Pseudonymiser, read_chunk
from lakehouse.settings import load_settings
from lakehouse.synthetic.generators import dream, dst, sssy
from lakehouse.synthetic.population import NEVER
from tests.support.generating import Expected, deliver, small_block

GENERATORS = (
    "sssy",
    "gp",
    "eoj",
    "eoj_operations",
    "rkkp",
    "pro",
    "dpsd",
    "costs",
    "telemedicine",
    "dst",
    "dream",
    "research",
    "reference",
)
SEED = random.SystemRandom().randrange(10**6)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int], Expected]:
    return deliver(tmp_path_factory.mktemp("generators"), GENERATORS, SEED)


@pytest.fixture(scope="module")
def judged(
    made: tuple[Path, dict[str, int], Expected], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Counter[str]]:
    """Rows by reason of refusal ('' for those that go on), by table."""
    root = made[0]
    key = str(root_key_file(load_settings(tmp_path_factory.mktemp("home"), "test"), create=True))
    delivery = find_delivery(root)
    found: dict[str, Counter[str]] = {}
    for each in delivery.files:
        file = surveying.survey(each, delivery)
        parts = tuple(Part(c, each.name, file.columns, "2025-01-15", delivery.issuer) for c in file.chunks)
        pseudonymiser = Pseudonymiser(each.table, each.source.identifier, key, verbatim=True)
        counts = found.setdefault(each.table.name, Counter())
        for part in parts:
            for block in read_chunk(pseudonymiser, part):
                counts.update(fault or "" for fault in block.column("fault").to_pylist())
    return found


def test_every_file_belongs_to_a_declared_table(made: tuple[Path, dict[str, int], Expected]) -> None:
    assert find_delivery(made[0]).ignored == ()


def test_every_row_is_counted(
    made: tuple[Path, dict[str, int], Expected], judged: dict[str, Counter[str]]
) -> None:
    assert sum(made[1].values()) == sum(counts.total() for counts in judged.values())


def test_rows_are_refused_exactly_where_the_books_say(
    made: tuple[Path, dict[str, int], Expected], judged: dict[str, Counter[str]]
) -> None:
    wanted: dict[str, Counter[str]] = {}
    for (_, table, where), rows in made[2].items():
        if table.startswith("quarantine."):
            reason = re.fullmatch(r"reason = '(\w+)'", where)
            assert reason is not None
            wanted.setdefault(table.removeprefix("quarantine."), Counter())[reason[1]] += rows
    refused = {
        name: Counter({reason: n for reason, n in counts.items() if reason})
        for name, counts in judged.items()
    }
    assert {name: counts for name, counts in refused.items() if counts} == {
        name: +counts for name, counts in wanted.items() if +counts
    }


def test_the_same_seed_gives_the_same_bytes(
    made: tuple[Path, dict[str, int], Expected], tmp_path: Path
) -> None:
    again, counts, expected = deliver(tmp_path, GENERATORS, SEED)
    assert (counts, expected) == made[1:]
    for path in sorted(made[0].rglob("*")):
        if path.is_file() and path.suffix != ".sas7bdat":
            assert path.read_bytes() == (again / path.relative_to(made[0])).read_bytes(), path.name


def test_t35_children_are_counted_as_by_hand() -> None:
    world, block = small_block(SEED)
    people = block.people
    rng = random.Random(SEED)
    import numpy as np

    person = np.array([rng.randrange(people.count) for _ in range(300)])
    day = np.array([rng.randint(world.calendar.first, world.calendar.last) for _ in range(300)])
    known = np.array([rng.random() < 0.5 for _ in range(300)])
    counted = sssy.children_in_week(block, person, day, known).tolist()
    for p, d, k, number in zip(person.tolist(), day.tolist(), known.tolist(), counted, strict=True):
        week = d - (d + 3) % 7
        until = d if k else week + 6
        young = [
            child
            for child in range(people.count)
            if people.mother[child] == p
            and people.birth[child] <= until
            and (np.datetime64(int(people.birth[child]), "D") - np.datetime64(week, "D")).astype(int) > -6574
        ]
        assert number == len(young)


def test_t21_a_year_delivered_before_is_the_same_series_and_older(
    made: tuple[Path, dict[str, int], Expected],
) -> None:
    older, newer = dst.EARLIER.path(), dst.AKM.path(dst.TWICE)
    assert made[1][older] == made[1][newer] > 0
    assert series_name(older) == series_name(newer)
    found = find_delivery(made[0])
    table = {each.name: each.table.name for each in found.files}
    assert table[older] == table[newer] == "dst_akm"
    earlier, delivered = dated_by(older), found.delivered
    assert earlier is not None
    assert delivered is not None
    assert earlier < delivered
    stale = pq.read_table(made[0] / older).column("socio13").to_pylist()
    kept = pq.read_table(made[0] / newer).column("socio13").to_pylist()
    wrong = [was for was, now in zip(stale, kept, strict=True) if was != now]
    assert set(wrong) == {dst.NOBODYS}
    assert made[2]["T21", "gold.event", f"code = 'AKM//{dst.NOBODYS}'"] == 0


def test_t40_three_persons_with_a_rare_service_reach_no_export(
    made: tuple[Path, dict[str, int], Expected],
) -> None:
    persons: dict[str, set[str]] = {}
    for path in sorted((made[0] / "sssy").glob("*.csv")):
        for line in path.read_text("cp1252").splitlines()[1:]:
            person, _, service = line.split(";")[:3]
            persons.setdefault(service, set()).add(person)
    planted = made[2]["T40", "gold.event", f"code = 'SSSY//{sssy.RARE}'"]
    assert len(persons[sssy.RARE]) == planted == 3
    services = [*persons]
    counts = [len(persons[service]) for service in services]
    table = pa.table({"service": services, "persons": pa.array(counts, pa.int64())})
    assert small_counts(table, ["persons"], Thresholds()) == ["persons"]
    told = verdict([CountTable("services", {"service": services}, counts)])
    assert any(finding.rule is Rule.SMALL_CELL and sssy.RARE in str(finding) for finding in told.findings)
    common = [k for k, count in enumerate(counts) if count >= Thresholds().persons]
    kept = CountTable("services", {"service": [services[k] for k in common]}, [counts[k] for k in common])
    assert not [finding for finding in verdict([kept]).findings if finding.rule is Rule.SMALL_CELL]


def test_the_dead_have_no_other_benefit_and_the_old_are_pensioners() -> None:
    world, block = small_block(SEED)
    import numpy as np

    found = dream.codes_by_week(block, world, np.random.default_rng(SEED))
    mondays = dream.weeks(world.calendar)
    names = [row["code"] for row in codelist("dream")]
    dead = block.people.death < NEVER
    for person in np.flatnonzero(dead)[:20].tolist():
        after = mondays > block.people.death[person]
        assert {names[k] for k in found[person, after]} <= {"999"}
        assert "999" not in {names[k] for k in found[person, ~after] if k >= 0}
