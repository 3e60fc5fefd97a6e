"""The counting passes of the pair scan: reference, followers, a closer look at significant pairs."""
