"""What a run truly read: recorded, cross-checked between observers, reconciled with the permit."""
