"""One folder an analysis: what is asked of the data, how it is counted and tested, and what kind of result it gives."""
