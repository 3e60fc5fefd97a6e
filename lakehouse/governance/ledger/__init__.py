"""The append-only record: entries, signatures, anchors, receipts, and the check an auditor runs alone."""
