"""Tests of many associations at once: is a count further from its expectation than chance allows?

A new test of counts is a new module here; the size of an effect belongs in ``estimates``.
"""
