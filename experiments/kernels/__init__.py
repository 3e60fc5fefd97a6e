"""Compiled counting: arrays in, counts out; additive over persons, no statistics, no Spark."""
