"""Rights of single persons: access report, opt-out, erasure, re-identification, and new root keys."""
