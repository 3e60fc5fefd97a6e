"""How outputs leave: request, review by another person, signed package."""
