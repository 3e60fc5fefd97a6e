"""From parsed TOML to a frozen dataclass: every value is held against its type, and every fault is noted, not the first."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lakehouse.definitions.values import Reference
from lakehouse.definitions.words import KINDS, choices, expected, joined, nearest, shown

BROKEN: Any = object()
"""Stands for a value that has a fault."""
Resolve = Callable[[type, str, int], Reference[Any]]
"""Finds the definition of a family by id and version; ``ValueError`` says why there is none."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing that is wrong: under which key, and what was expected."""

    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}" if self.key else self.what


class Reader:
    """Reads values of one file; ``faults`` holds what was wrong so far."""

    def __init__(self, resolve: Resolve) -> None:
        self.resolve = resolve
        self.faults: list[Fault] = []

    def fault(self, key: str, what: str) -> Any:
        """Note a fault."""
        self.faults.append(Fault(key, what))
        return BROKEN

    def table(self, model: type, found: Mapping[str, Any], key: str, beside: Iterable[str] = ()) -> Any:
        """A dataclass from a table; ``beside`` are keys of the same table that are somebody else's."""
        hints = get_type_hints(model)
        fields = [field for field in dataclasses.fields(model) if field.init]
        known = [*beside, *(field.name for field in fields)]
        for name in found:
            if name not in known:
                self.fault(joined(key, name), "there is no such key" + nearest(name, known))
        values = {}
        for field in fields:
            where = joined(key, field.name)
            if field.name in found:
                values[field.name] = self.value(hints[field.name], found[field.name], where)
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                values[field.name] = self.fault(where, f"is missing; expected {expected(hints[field.name])}")
        if any(value is BROKEN for value in values.values()):
            return BROKEN
        try:
            return model(**values)
        except ValueError as error:
            return self.fault(key, str(error))

    def value(self, wanted: Any, found: Any, key: str) -> Any:
        """One value of the type ``wanted``. ``TypeError`` for a type that no definition file can hold."""
        if isinstance(found, float) and not math.isfinite(found):
            return self.fault(key, f"expected {expected(wanted)}, found {found}, which is no number")
        origin, arguments = get_origin(wanted), get_args(wanted)
        if wanted is Any:
            return self.anything(found, key)
        if origin is Reference:
            return self.reference(arguments[0], found, key)
        if origin in (Union, types.UnionType):
            return self.one_of([each for each in arguments if each is not type(None)], found, key)
        if origin is Literal or (isinstance(wanted, type) and issubclass(wanted, Enum)):
            return self.choice(wanted, found, key)
        if origin is tuple:
            return self.listed(wanted, arguments, found, key)
        if origin is not None and issubclass(origin, Mapping):
            return self.mapped(wanted, arguments, found, key)
        if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
            fits = isinstance(found, Mapping)
            return self.table(wanted, found, key) if fits else self.unlike(wanted, found, key)
        if wanted not in KINDS:
            raise TypeError(f"{key}: no definition file can hold a {wanted}.")
        if wanted is float and type(found) is int:
            return float(found)
        return found if type(found) is wanted else self.unlike(wanted, found, key)

    def unlike(self, wanted: Any, found: Any, key: str) -> Any:
        """The fault of a value of another type."""
        return self.fault(key, f"expected {expected(wanted)}, found {shown(found)}")

    def anything(self, found: Any, key: str) -> Any:
        """A value whose meaning another checks, such as a job's parameter; its numbers are numbers all the same."""
        inside = (
            found.items()
            if isinstance(found, Mapping)
            else enumerate(found if isinstance(found, list) else ())
        )
        whole = [self.value(Any, each, joined(key, str(name))) is not BROKEN for name, each in list(inside)]
        return found if all(whole) else BROKEN

    def reference(self, family: type, found: Any, key: str) -> Any:
        """Another definition, which must be there in this version."""
        name, _, version = str(found).rpartition("@")
        if not isinstance(found, str) or not name or not (version.isascii() and version.isdigit()):
            return self.unlike(Reference[family], found, key)  # type: ignore[valid-type]
        try:
            return self.resolve(family, name, int(version))
        except ValueError as error:
            return self.fault(key, str(error))

    def one_of(self, options: list[Any], found: Any, key: str) -> Any:
        """The first of several types that fits; of several tables, the faults of the one that fits best."""
        tried: list[tuple[Any, list[Fault]]] = []
        for option in options:
            inner = Reader(self.resolve)
            value = inner.value(option, found, key)
            if not inner.faults:
                return value
            tried.append((option, inner.faults))
        fitting = [
            faults
            for option, faults in tried
            if dataclasses.is_dataclass(option) and isinstance(found, Mapping)
        ]
        if len(tried) == 1 or fitting:
            told = fitting or [faults for _, faults in tried]
            fewest: list[Fault] = min(told, key=len)
            self.faults += fewest
            return BROKEN
        return self.fault(key, f"expected {' or '.join(map(expected, options))}, found {shown(found)}")

    def choice(self, wanted: Any, found: Any, key: str) -> Any:
        """One of the values that a ``Literal`` or an ``Enum`` names; ``true`` is not 1."""
        for option in choices(wanted):
            plain = option.value if isinstance(option, Enum) else option
            if type(plain) is type(found) and plain == found:
                return option
        names = [str(each.value if isinstance(each, Enum) else each) for each in choices(wanted)]
        return self.fault(
            key, f"expected {expected(wanted)}, found {shown(found)}{nearest(str(found), names)}"
        )

    def listed(self, wanted: Any, arguments: tuple[Any, ...], found: Any, key: str) -> Any:
        """A list: of one type (``tuple[int, ...]``) or of a type for each place (``tuple[float, float]``)."""
        if not isinstance(found, list):
            return self.unlike(wanted, found, key)
        if arguments[-1:] == (...,):
            arguments = arguments[:1] * len(found)
        elif len(arguments) != len(found):
            return self.fault(key, f"expected {expected(wanted)}, found {len(found)} of them")
        pairs = zip(arguments, found, strict=True)
        values = tuple(self.value(each, item, f"{key}[{at}]") for at, (each, item) in enumerate(pairs))
        return BROKEN if any(value is BROKEN for value in values) else values

    def mapped(self, wanted: Any, arguments: tuple[Any, ...], found: Any, key: str) -> Any:
        """A table whose keys are data: ``Mapping[str, int]``, also with keys of a ``Literal`` or an ``Enum``."""
        if not isinstance(found, Mapping):
            return self.unlike(wanted, found, key)
        values = {
            self.value(arguments[0], name, joined(key, name)): self.value(
                arguments[1], each, joined(key, name)
            )
            for name, each in found.items()
        }
        return BROKEN if BROKEN in values or any(each is BROKEN for each in values.values()) else values
