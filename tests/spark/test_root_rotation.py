"""Attack B6: after a new root key old and new tokens share nothing, no row is lost, joins hold, a killed one is finished."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.delta.tables import table_path
from lakehouse.errors import ConfigurationError
from lakehouse.governance.persons import root_rotation
from lakehouse.governance.persons.optouts import change, current
from lakehouse.governance.persons.root_rotation import rotate_root
from lakehouse.identity.pseudonyms import advancer, root_key_file
from lakehouse.lake import Lake
from lakehouse.settings import Settings
from tests.support.small_lake import PERSONS, write_small_lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLES = ("gold.person", "gold.event", "gold.timeline", "gold.spell")


def rows(spark: SparkSession, settings: Settings, name: str) -> list[dict[str, Any]]:
    frame = spark.read.format("delta").load(str(table_path(settings, name)))
    return [row.asDict() for row in frame.collect()]


@pytest.mark.slow
def test_b6_every_row_under_a_new_token(
    spark: SparkSession, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_small_lake(spark, settings)
    change(settings, "research", add=[PERSONS[0]])
    before = {name: rows(spark, settings, name) for name in TABLES}
    move, moved = root_rotation.move, []

    def killed(*arguments: Any) -> int:
        if len(moved) == 2:
            raise KeyboardInterrupt
        moved.append(1)
        return move(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(root_rotation, "move", killed)
        with pytest.raises(KeyboardInterrupt):
            rotate_root(Lake(spark, settings))
    with pytest.raises(ConfigurationError, match="unfinished"):
        root_key_file(settings, create=False)
    rotate_root(Lake(spark, settings))
    key = root_key_file(settings, create=False)
    onward = advancer(str(key), 2)
    for name in TABLES:
        after = rows(spark, settings, name)
        wanted = Counter(str({**row, "person_id": onward(row["person_id"])}) for row in before[name])
        seen = Counter(str({**row}) for row in after)
        keys = {"encounter_id", "spell_id"} & set(after[0])
        assert len(after) == len(before[name]), name
        assert keys or wanted == seen, name
        assert all(row["person_id"].startswith("02") for row in after), name
    old = {row["person_id"][2:] for row in before["gold.person"]}
    new = {row["person_id"][2:] for row in rows(spark, settings, "gold.person")}
    assert not old & new
    assert {r["person_id"] for r in rows(spark, settings, "gold.event")} <= {f"02{token}" for token in new}
    assert current(settings, "research").persons == {onward(PERSONS[0])}
    found = [path for path in settings.lake.rglob("*.parquet") if PERSONS[0].encode() in path.read_bytes()]
    assert found == []
