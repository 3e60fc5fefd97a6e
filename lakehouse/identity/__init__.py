"""Person numbers, the keys that turn them into pseudonyms, and the vault that knows whom a pseudonym stands for."""
