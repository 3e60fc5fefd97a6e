"""The synthetic region's persons, rates and truth, held to what is known of Danish health data."""

from __future__ import annotations

import numpy as np
import pytest

from lakehouse.synthetic.block import Block, World, make_block
from lakehouse.synthetic.delivery import blocks_of
from lakehouse.synthetic.effects import apply_effects
from lakehouse.synthetic.hospital import Records, episodic
from lakehouse.synthetic.intensity import EMERGENCY, STAY, VISIT
from lakehouse.synthetic.laboratory import abnormal
from lakehouse.synthetic.medicine import first_by_group
from lakehouse.synthetic.plan import WINDOW_DAYS, Plan
from lakehouse.synthetic.population import NEVER, day_of, make_people
from lakehouse.synthetic.truth import describe_truth
from tests.support.synthetic_timeline import block_timeline, catalogue, region

PERSONS_A_BLOCK = 2500


@pytest.fixture(scope="module")
def world() -> World:
    return region(20)


@pytest.fixture(scope="module")
def blocks(world: World) -> list[Block]:
    return [make_block(world, number, PERSONS_A_BLOCK) for number in range(8)]


def years_lived(world: World, block: Block) -> np.ndarray:
    people, calendar = block.people, world.calendar
    start = np.maximum(np.maximum(people.birth, people.immigrated), calendar.first)
    end = np.minimum(people.death, calendar.last)
    away = np.maximum(np.minimum(people.returned, end) - np.minimum(people.emigrated, end), 0)
    return np.maximum(end - start - away, 0) / 365.25


def test_a_block_is_a_pure_function_of_seed_and_number(world: World) -> None:
    one, again, other = (make_block(world, number, 300) for number in (3, 3, 4))
    assert np.array_equal(one.people.cpr, again.people.cpr)
    assert np.array_equal(one.records.code, again.records.code)
    assert np.array_equal(one.results.value, again.results.value)
    assert not np.array_equal(one.people.birth, other.people.birth)


def test_no_authority_can_have_issued_a_number_and_none_occurs_twice(blocks: list[Block]) -> None:
    numbers = np.concatenate([block.people.cpr for block in blocks])
    births = np.concatenate([block.people.birth for block in blocks])
    sexes = np.concatenate([block.people.sex for block in blocks])
    assert len(np.unique(numbers)) == len(numbers)
    for number, birth, sex in zip(numbers[:500].tolist(), births.tolist(), sexes.tolist(), strict=False):
        text, day = f"{number:010d}", np.datetime64(int(birth), "D").astype(object)
        assert int(text[:2]) == day.day + 60
        assert (int(text[2:4]), int(text[4:6])) == (day.month, day.year % 100)
        assert int(text[6]) in ((4, 5, 6, 7) if day.year >= 2000 else (0, 1, 2, 3))
        assert int(text[9]) % 2 == sex


def test_numbers_stay_unique_in_the_last_blocks_of_a_country(world: World) -> None:
    far = [
        make_people(np.random.default_rng(k), k, 800, world.catalogue, world.rates) for k in (0, 1, 997, 1998)
    ]
    numbers = np.concatenate([people.cpr for people in far])
    assert len(np.unique(numbers)) == len(numbers)
    assert blocks_of(7_200_000)[-1][0] <= 1998
    assert sum(count for _, count in blocks_of(7_200_000)) == 7_200_000


def test_volumes_and_deaths_are_those_of_the_reference(world: World, blocks: list[Block]) -> None:
    years = sum(years_lived(world, block).sum() for block in blocks)
    assert sum(len(block.contacts.person) for block in blocks) / years == pytest.approx(3.5, rel=0.15)
    assert sum(len(block.records.code) for block in blocks) / years == pytest.approx(5.5, rel=0.15)
    assert sum(len(block.procedures.code) for block in blocks) / years == pytest.approx(4.0, rel=0.15)
    assert sum(len(block.dispensings.day) for block in blocks) / years == pytest.approx(10.0, rel=0.15)
    assert sum(len(block.results.value) for block in blocks) / years == pytest.approx(8.0, rel=0.15)
    deaths = sum(int((block.people.death < NEVER).sum()) for block in blocks)
    assert deaths / years * 1000 == pytest.approx(9.8, rel=0.15)


def test_half_the_contacts_have_one_diagnosis(blocks: list[Block]) -> None:
    sizes = np.concatenate(
        [
            np.bincount(b.records.contact, minlength=len(b.contacts.person))[b.contacts.setting == VISIT]
            for b in blocks
        ]
    )
    assert sizes.min() >= 1
    assert 0.5 < (sizes == 1).mean() < 0.75
    assert all(np.bincount(b.records.contact[b.main]).max() == 1 for b in blocks)


def test_lasting_diseases_are_as_common_as_listed(world: World, blocks: list[Block]) -> None:
    middle = day_of(2021, 1, 1)
    for code, tolerance in (("I10", 0.2), ("E11", 0.3), ("J45", 0.25), ("F32", 0.25), ("J44", 0.3)):
        column = list(world.hospital.chronic).index(world.catalogue.diagnoses.index(code))
        adults = sick = 0
        for block in blocks:
            there = block.people.present(np.arange(block.people.count), np.full(block.people.count, middle))
            adult = there & (block.people.birth < day_of(2005, 1, 1))
            adults += int(adult.sum())
            sick += int((adult & (block.lasting.onset[:, column] <= middle)).sum())
        listed = float(world.catalogue.prevalence[world.catalogue.diagnoses.index(code)])
        assert sick / adults == pytest.approx(listed, rel=tolerance), code


def test_medicines_have_the_listed_users(world: World, blocks: list[Block]) -> None:
    begin, end = day_of(2021, 1, 1), day_of(2021, 12, 31)
    present = sum(
        int(b.people.present(np.arange(b.people.count), np.full(b.people.count, begin)).sum()) for b in blocks
    )
    table = world.catalogue.medicines
    for code in ("N02BE01", "C10AA05", "J01CE02", "M01AE01", "C08CA01", "R03AC02", "N06AB06", "H03AA01"):
        position = table.index(code)
        users = 0
        for block in blocks:
            lines = block.dispensings
            inside = (lines.medicine == position) & (lines.day >= begin) & (lines.day <= end)
            users += len(np.unique(lines.person[inside]))
        expected = table.weight[position] * (table.drift[position, 4] if table.drift[position].std() else 1)
        assert users / present * 1000 == pytest.approx(expected, rel=0.4), code


def test_stays_are_chains_of_at_most_four_hours_and_at_least_twelve_hours_long(blocks: list[Block]) -> None:
    contacts = blocks[0].contacts
    rows = np.flatnonzero(contacts.setting == STAY)
    rows = rows[np.lexsort((contacts.start[rows], contacts.stay[rows]))]
    stay, start, stop = contacts.stay[rows], contacts.start[rows], contacts.stop[rows]
    same = stay[1:] == stay[:-1]
    assert same.sum() > 100
    assert (start[1:] - stop[:-1])[same].max() <= 240
    last, first = np.append(~same, True), np.append(True, ~same)
    alive = blocks[0].people.death[contacts.person[rows][last]] > stop[last] // 1440 + 1
    assert ((stop[last] - start[first])[alive] >= 720).all()
    other = contacts.setting != STAY
    assert (contacts.stop - contacts.start)[other].max() < 720
    assert not contacts.acute[contacts.setting == VISIT].any()
    assert contacts.acute[contacts.setting == EMERGENCY].all()


def test_nothing_happens_to_those_who_are_away_or_dead(world: World, blocks: list[Block]) -> None:
    for block in blocks[:3]:
        people = block.people
        assert people.present(block.contacts.person, block.contacts.day).all()
        assert people.present(block.dispensings.person, block.dispensings.day).all()
        assert people.present(block.results.person, block.results.minute // 1440).all()
        for days in (block.contacts.day, block.dispensings.day):
            assert days.min() >= world.calendar.first and days.max() <= world.calendar.last


def test_seasons_closures_and_the_register_change_show(world: World, blocks: list[Block]) -> None:
    winter = np.flatnonzero([code.startswith("J1") for code in world.catalogue.diagnoses.code])
    days = np.concatenate(
        [b.contacts.day[b.records.contact][np.isin(b.records.code, winter)] for b in blocks]
    )
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12
    assert np.isin(month, (11, 0, 1)).sum() > 2 * np.isin(month, (5, 6, 7)).sum()
    contacts = np.concatenate([b.contacts.day for b in blocks])

    def within(year: int) -> int:
        return int(((contacts >= day_of(year, 3, 15)) & (contacts < day_of(year, 5, 31))).sum())

    assert within(2020) < 0.8 * within(2021)
    assert within(2021) > 1.15 * within(2018)


def test_the_truth_is_drawn_anew_from_the_seed() -> None:
    one, again, other = (describe_truth(region(seed)) for seed in (5, 5, 6))
    assert one == again
    pairs = {(row["a"], row["b"]) for row in one["planted"]}
    assert len(pairs & {(row["a"], row["b"]) for row in other["planted"]}) < 8


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_truth_has_the_promised_parts(seed: int) -> None:
    truth = describe_truth(region(seed))
    steps = [row for chain in truth["trajectories"] for row in chain["steps"]]
    effects = [*truth["planted"], *truth["harms"], *steps]
    assert len(truth["planted"]) >= 60
    assert len(truth["harms"]) >= 20
    assert len(truth["trajectories"]) >= 5
    assert all(len(chain["steps"]) == 3 for chain in truth["trajectories"])
    assert all(1.5 <= row["rr"] <= 5 or 0.3 <= row["rr"] <= 0.7 for row in effects)
    assert any(row["rr"] < 1 for row in truth["planted"])
    assert len({row["b"] for row in effects}) == len(effects)
    assert len(truth["decoys"]) >= 5 * len(effects)
    known = {(row["a"], row["b"]) for key in ("indications", "induced") for row in truth[key]}
    known |= {(row["a"], row["b"]) for row in effects}
    assert not known & {(row["a"], row["b"]) for row in truth["decoys"]}
    assert {row["by"] for row in truth["decoys"]} == {"age", "sex", "calendar", "utilisation"}


def test_a_planted_ratio_is_the_ratio_of_what_comes_true() -> None:
    """Among candidates in the window, what is kept with the effect over what would be kept without it."""
    world = region(7)
    empty = Plan((), ())
    totals = np.zeros((len(world.plan.effects), 2))
    for number in range(8):
        block = make_block(world, number, PERSONS_A_BLOCK)
        people, lasting = block.people, block.lasting
        rng = np.random.default_rng([world.seed, number, 3])
        contacts, candidates, uniform = episodic(rng, people, world.hospital, world.calendar)
        firsts = {int(code): lasting.first[:, k] for k, code in enumerate(world.hospital.chronic)}
        groups = first_by_group(block.dispensings, people.count, world.medicine)
        shared = (people.count, contacts, candidates, uniform, world.hospital.keep, firsts, groups)
        with_effects, without = (apply_effects(plan, *shared) for plan in (world.plan, empty))
        day, person = contacts.day[candidates.contact], contacts.person[candidates.contact]
        for k, effect in enumerate(world.plan.effects):
            if effect.medicine:
                since = groups[effect.exposure]
            else:
                since = first_days(people.count, day, person, candidates, with_effects, effect.exposure)
                since = firsts.get(effect.exposure, since)
            lag = day - since[person]
            window = (candidates.code == effect.outcome) & (lag > 0) & (lag <= WINDOW_DAYS)
            totals[k] += (with_effects & window).sum(), (without & window).sum()
    ratios = np.array([effect.ratio for effect in world.plan.effects])
    enough = totals[:, 1] >= 20
    assert enough.sum() > 30
    error = (totals[enough, 0] / ratios[enough] - totals[enough, 1]) / np.sqrt(totals[enough, 1])
    assert np.abs(error).max() < 5
    assert totals[enough, 0].sum() / (totals[enough, 1] * ratios[enough]).sum() == pytest.approx(1, abs=0.06)


def first_days(
    count: int, day: np.ndarray, person: np.ndarray, candidates: Records, kept: np.ndarray, code: int
) -> np.ndarray:
    first = np.full(count, NEVER)
    rows = kept & (candidates.code == code)
    np.minimum.at(first, person[rows], day[rows])
    return first


def test_some_results_are_abnormal_and_most_are_not(world: World, blocks: list[Block]) -> None:
    high, low = abnormal(blocks[0].results, world.laboratory)
    assert 0.03 < (high | low).mean() < 0.2
    assert not (high & low).any()


def test_a_period_of_other_years_works() -> None:
    known = catalogue((2019, 2021))
    assert known.diagnoses.drift.shape[1] == 3
    world = region(3)
    short = block_timeline(world, make_block(world, 0, 200))
    assert short.count == 200
