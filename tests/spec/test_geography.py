"""What a municipality's or region's code stood for on a day."""

from __future__ import annotations

import datetime

import pytest

from lakehouse.declarations.geography import municipalities, municipality_on, region_on, regions

BEFORE, SINCE = datetime.date(2006, 12, 31), datetime.date(2007, 1, 1)


def test_t34_a_number_used_again_names_two_municipalities() -> None:
    for code, former, present in (("707", "Grenaa", "Norddjurs"), ("849", "Aabybro", "Jammerbugt")):
        old, new = municipality_on(code, BEFORE), municipality_on(f"0{code}", SINCE)
        assert old is not None
        assert new is not None
        assert (old.name, new.name) == (former, present)
        assert (old.id, new.id) == (f"{code}-1970", code)


def test_t34_no_code_names_two_municipalities_on_one_day() -> None:
    for day in (BEFORE, SINCE, datetime.date(2030, 1, 1)):
        there = [place.code for place in municipalities() if place.on(day)]
        assert len(there) == len(set(there))
    today = [place for place in municipalities() if place.on(SINCE)]
    assert len(today) >= 98


def test_t33_the_east_becomes_one_region_in_2027_and_the_rest_stays() -> None:
    last, first = datetime.date(2026, 12, 31), datetime.date(2027, 1, 1)
    moved = {
        place.code
        for place in municipalities()
        if place.on(first) and region_on(place.code, last) != region_on(place.code, first)
    }
    east = {place.code for place in municipalities() if place.region in ("1084", "1085")}
    assert moved == east
    assert len(east) >= 46
    assert len({region_on(code, first) for code in east}) == 1
    assert region_on("751", last) == region_on("751", first) == "1082"


def test_t33_a_region_that_ends_names_the_one_that_follows() -> None:
    known = {region.code for region in regions()}
    assert all((region.valid_to is None) == (region.region == "") for region in regions())
    assert {region.region for region in regions() if region.region} <= known


@pytest.mark.parametrize(("code", "day"), [("707", BEFORE), ("999", SINCE)])
def test_where_there_was_no_region_there_is_none(code: str, day: datetime.date) -> None:
    assert region_on(code, day) is None
