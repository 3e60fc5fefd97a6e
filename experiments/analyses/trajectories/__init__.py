"""Which chains of events persons walk, by real dates."""
