"""What a study may read, from whom, until when: files, signatures, presets, checks, and the record of processing."""
