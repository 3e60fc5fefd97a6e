"""The lake, or what a study may read of it, as OMOP CDM or MEDS files."""
