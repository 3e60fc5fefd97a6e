"""What a source's tables look like: columns, types, codings and rules, as data that every step of the way reads."""
