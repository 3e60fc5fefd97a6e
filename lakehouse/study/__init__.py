"""The only way to read: a study opened under its permit, and the extract cut for sealed runs."""

from lakehouse.study.session import Study, open_data

__all__ = ["Study", "open_data"]
