"""From a delivered file to bronze, silver and quarantine, pseudonymised on the way; every row accounted for."""
