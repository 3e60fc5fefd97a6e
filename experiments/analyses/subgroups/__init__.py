"""In whom one treatment, against another, changes the risk of an outcome otherwise."""
