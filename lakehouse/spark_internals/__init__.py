"""Everything used of Spark, Delta and Py4J that they do not promise to keep, in one place; an upgrade tests it first.

Nothing else in the project reaches behind the public interface of PySpark (a test in ``tests/architecture`` holds
it). ``tests/spark/test_spark_internals.py`` exercises each function of this folder on a real session and says what
breaks where one fails: whoever raises the version of pyspark or delta-spark runs ``make test-upgrade`` before
anything else.
"""
