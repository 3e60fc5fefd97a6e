"""Spark's part of mining: carry kernels over the lake and add up what they count."""
