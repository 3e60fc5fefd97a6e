"""What is in a study: persons and events of every code by year, sex, age group and place."""
