"""What a permit lets through: pinned versions, row rules, person sets, counts of what was opened."""
