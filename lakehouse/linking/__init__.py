"""Linking persons without identifiers: probabilistic, trained on the data itself, judged before it is used."""
