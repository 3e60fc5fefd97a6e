"""The watch over a running study: plans checked before an action, ways past Spark refused or recorded."""
