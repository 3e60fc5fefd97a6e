"""Tests of many associations at once: is a count further from its expectation than chance allows?"""
