"""Spark's own parser: what a condition or a statement says, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def condition_json(spark: SparkSession, condition: str) -> str:
    """The tree of a SQL condition as Spark's JSON; the parser's exception where it is none."""
    return str(_parser(spark).parseExpression(condition).toJSON())


def statement_tree(spark: SparkSession, statement: str) -> str:
    """The tree of a SQL statement as text, one node a line; the parser's exception where it is none."""
    return str(_parser(spark).parsePlan(statement).toString())


def _parser(spark: SparkSession) -> Any:
    return spark._jsparkSession.sessionState().sqlParser()
