"""Hospital stays by their definition: one person's contacts walked in order of time."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from lakehouse.data_model import Setting


@dataclass(frozen=True)
class Contact:
    """A contact of one person; ``alone`` is one that is no part of any stay."""

    name: str
    start: datetime.datetime
    end: datetime.datetime | None
    acute: bool | None
    setting: int | None
    superseded: bool

    @property
    def until(self) -> datetime.datetime:
        """End as far as is known."""
        return max(self.start, self.end or self.start)

    @property
    def alone(self) -> bool:
        """An out-patient course by its register's word, or a double."""
        return self.superseded or self.setting == Setting.OUTPATIENT


def stays(
    contacts: Iterable[Contact],
) -> dict[str, tuple[str, datetime.datetime, datetime.datetime, int, int]]:
    """By contact: name, start, end and number of contacts of its stay, and the setting that follows."""
    found: dict[str, tuple[str, datetime.datetime, datetime.datetime, int, int]] = {}
    chains: list[list[Contact]] = []
    for each in sorted(contacts, key=lambda one: (one.start, one.end or one.start, one.name)):
        if each.alone:
            setting = Setting.OUTPATIENT if each.setting is None else each.setting
            found[each.name] = (each.name, each.start, each.until, 1, setting)
        elif chains and each.start <= max(one.until for one in chains[-1]) + datetime.timedelta(hours=4):
            chains[-1].append(each)
        else:
            chains.append([each])
    for chain in chains:
        start, end = chain[0].start, max(one.until for one in chain)
        known = [one.setting for one in chain if one.setting is not None]
        admitted = min(known, default=-1) == Setting.INPATIENT or end - start >= datetime.timedelta(hours=12)
        for one in chain:
            short = Setting.EMERGENCY if one.acute else Setting.OUTPATIENT
            found[one.name] = (
                chain[0].name,
                start,
                end,
                len(chain),
                Setting.INPATIENT if admitted else short,
            )
    return found
