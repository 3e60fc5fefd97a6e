"""What generators draw with, against the calendar of the standard library."""

from __future__ import annotations

import calendar
import datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.synthetic.drawing import day_first, monday, months_before, yyww

DAYS = st.lists(st.dates(datetime.date(1950, 1, 1), datetime.date(2069, 12, 31)), min_size=1, max_size=30)
EPOCH = datetime.date(1970, 1, 1)


def numbered(days: list[datetime.date]) -> np.ndarray:
    return np.array([(day - EPOCH).days for day in days])


@settings(deadline=None)
@given(DAYS)
def test_weeks_are_iso_weeks(days: list[datetime.date]) -> None:
    wanted = [f"{day.isocalendar().year % 100:02d}{day.isocalendar().week:02d}" for day in days]
    assert yyww(numbered(days)).to_pylist() == wanted
    assert [(EPOCH + datetime.timedelta(int(day))).weekday() for day in monday(numbered(days))] == [0] * len(
        days
    )


@settings(deadline=None)
@given(DAYS, st.integers(0, 400))
def test_months_back_end_on_the_last_day_of_a_shorter_month(days: list[datetime.date], months: int) -> None:
    found = months_before(numbered(days), months)
    for day, number in zip(days, found.tolist(), strict=True):
        year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        wanted = datetime.date(year, month + 1, min(day.day, last))
        assert EPOCH + datetime.timedelta(number) == wanted


def test_days_are_written_day_first() -> None:
    assert day_first(numbered([datetime.date(2019, 2, 1)])) == ["01/02/2019"]
