"""The tables that studies read, built from current silver: persons, events, stays, timelines and what is derived of them."""
