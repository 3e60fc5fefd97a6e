"""Reading a query plan: its tree, its predicates, and which column came from where."""
