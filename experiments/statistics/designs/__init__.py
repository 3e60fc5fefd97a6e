"""Study designs that keep confounding out by who is compared with whom: self-controlled, symmetry, negative controls.

The order of two events as a design (symmetry) belongs here; as a course of time it belongs in ``over_time``.
"""
