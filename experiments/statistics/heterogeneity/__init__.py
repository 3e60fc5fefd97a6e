"""Where an effect differs: subgroups of persons, found and judged on others than they were found in."""
