"""Time until an event where observation ends early or another event comes first."""
