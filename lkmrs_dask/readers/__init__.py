"""Readers of raw files: chunks of rows in the schema's columns, and rows set aside."""
