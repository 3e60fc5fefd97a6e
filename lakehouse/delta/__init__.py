"""Delta tables as files and logs: created, read directly, written by workers, locked for one writer."""
