"""Runs small jobs inside a study of the ten-person lake and hands back its record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from lakehouse.governance.scope.scope import Read, Scope
from lakehouse.settings import Settings
from lakehouse.study.session import Study, open_data

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TODAY = date(2025, 6, 1)

PERMIT = """
permit_id = "{name}"
title = "Ten persons"
legal_basis = "46(2)"
authority = "the Region"
valid_from = 2025-01-01
valid_to = 2025-12-31
responsible = "A. Researcher"
users = ["anna", "bo"]
purpose = "Tests of the platform"
{rules}
{tables}
"""

TABLES = """
[tables."gold.event"]
direct = ["person_id", "day", "code", "value_num", "domain", "encounter_id"]
filter_only = ["place"]
join_only = ["setting"]
[tables."gold.timeline"]
direct = ["person_id", "split", "sex", "birth_year", "first_day", "last_day", "code", "day", "setting"]
[tables."gold.person"]
direct = ["person_id", "sex", "birth_year"]
[tables."gold.vocabulary"]
direct = ["code_id", "code"]
"""


@dataclass
class Lab:
    """A session and a lake, with permits written on demand."""

    spark: SparkSession
    settings: Settings

    def permit(self, name: str, rules: str = "", tables: str = TABLES, study: str = "") -> str:
        """Write permit and study ``name``; ``rules`` and ``study`` are further TOML lines."""
        text = PERMIT.format(name=name, rules=rules, tables=tables)
        self.settings.write_definition("permits", name, text)
        self.settings.write_definition("studies", name, f'id = "{name}"\npermit = "{name}"\n{study}\n')
        return name

    def open(self, name: str = "lab", **options: Any) -> Study:
        """Open a study as anna, in June 2025."""
        return open_data(self.spark, self.settings, name, **{"actor": "anna", "today": TODAY, **options})

    def run(self, work: Callable[[Study], Any], name: str = "lab", **options: Any) -> Scope:
        """Do some work in a study; its record. Errors of the work itself are swallowed."""
        study = self.open(name, **options)
        try:
            with study:
                work(study)
        except Exception:
            pass
        return study.scope()


def read_of(scope: Scope, table: str) -> Read:
    """The record's entry of one table."""
    return next(read for read in scope.reads if read.table == table)
