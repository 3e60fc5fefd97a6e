"""Study designs that keep confounding out by who is compared with whom: self-controlled, symmetry, negative controls."""
