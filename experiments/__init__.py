"""Mining and evidence: from a study's timelines to checked, recorded findings."""
