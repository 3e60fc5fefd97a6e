"""Which event leads a request from which state to which: data, so that a test can walk all of it.

What a request has been through stands in the ledger as events; where it stands now is what the table makes of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

ABSENT = "not in the ledger"
"""State of a request of which the ledger knows nothing."""
OUT_OF_ORDER = "out of order"
"""State of a request whose ledger entries do not follow from one another: nothing leads on but what a row says."""


@dataclass(frozen=True)
class Step:
    """One row: ``event`` leads from any of the states ``before`` to the state ``after``.

    ``roles`` are those of the register that may take the step; none where the platform or the clock takes it.
    """

    event: str
    before: tuple[str, ...]
    after: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class StateTable:
    """All steps of one kind of request; ``expiry`` names the event that the clock brings about, if there is one.

    Making a table raises :class:`ValueError` where two rows lead one event on from one state.
    """

    steps: tuple[Step, ...]
    expiry: str = ""

    def __post_init__(self) -> None:
        pairs = [(state, step.event) for step in self.steps for state in step.before]
        if twice := sorted({pair for pair in pairs if pairs.count(pair) > 1}):
            raise ValueError(f"{twice[0][1]} leads on from {twice[0][0]} in two ways")

    @property
    def events(self) -> frozenset[str]:
        """Every event of the table."""
        return frozenset(step.event for step in self.steps)

    @property
    def states(self) -> frozenset[str]:
        """Every state that a request may be in, also :data:`ABSENT` and :data:`OUT_OF_ORDER`."""
        return frozenset({ABSENT, OUT_OF_ORDER, *(step.after for step in self.steps)})

    @property
    def ends(self) -> frozenset[str]:
        """The states from which nothing leads to another."""
        left = {state for step in self.steps for state in step.before if state != step.after}
        return self.states - left

    def after(self, state: str, event: str) -> str | None:
        """The state that an event leads to, or None where it does not lead on from this one."""
        return next((s.after for s in self.steps if s.event == event and state in s.before), None)

    def before(self, event: str) -> tuple[str, ...]:
        """The states from which an event leads on."""
        return tuple(state for step in self.steps if step.event == event for state in step.before)

    def roles(self, event: str) -> tuple[str, ...]:
        """The roles that may bring an event about."""
        return next((step.roles for step in self.steps if step.event == event), ())

    def replay(self, events: Iterable[str]) -> str:
        """Where a request stands after these events; those that the table does not know are passed over."""
        state = ABSENT
        for event in events:
            if event in self.events:
                state = self.after(state, event) or OUT_OF_ORDER
        return state

    def at(self, state: str, now: datetime | None, expires: datetime | None) -> str:
        """The state at a moment: the clock's own where the request may expire and has."""
        if now is None or expires is None or now < expires:
            return state
        return self.after(state, self.expiry) or state
