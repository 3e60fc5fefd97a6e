"""Which ways persons go from a start, how long they wait, and which ways end otherwise."""
