"""The connections to Spark's JVM acknowledge at once, and carry long texts whole in both directions."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from lakehouse.spark_internals.connection import PromptSocket, prompt_answers

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_every_connection_of_the_session_is_prompt(spark: SparkSession) -> None:
    client: Any = spark.sparkContext._gateway._gateway_client  # type: ignore[union-attr]
    assert client.deque
    assert all(isinstance(connection.socket, PromptSocket) for connection in client.deque)


def test_long_answers_and_questions_come_through_whole(spark: SparkSession) -> None:
    jvm: Any = spark.sparkContext._jvm
    for length in (10, 8_191, 8_192, 100_000, 3_000_000):
        text = secrets.token_hex(length // 2) + "æ\n"
        assert jvm.java.lang.StringBuilder(text).toString() == text


def test_it_is_done_once(spark: SparkSession) -> None:
    from py4j.clientserver import ClientServerConnection

    before = ClientServerConnection._authenticate_connection
    prompt_answers()
    assert ClientServerConnection._authenticate_connection is before
