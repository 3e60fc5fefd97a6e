"""Danish free text: who and what in it tells a person, found and taken out."""

from lakehouse.freetext.find import Mention, find, scrub

__all__ = ["Mention", "find", "scrub"]
