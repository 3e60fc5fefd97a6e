"""In which persons a treatment goes with an outcome nobody would expect."""
