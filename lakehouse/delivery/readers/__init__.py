"""Readers, one a form of file: delimited text, fixed width, SAS, FHIR bundles; all give the same blocks of rows."""
