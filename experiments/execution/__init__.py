"""Runs counting passes over a study's persons, in one process or on Spark executors, and adds up."""
