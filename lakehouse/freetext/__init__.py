"""Danish free text: who and what in it tells a person, found and taken out."""

from lakehouse.freetext.find import Found, find, scrub

__all__ = ["Found", "find", "scrub"]
