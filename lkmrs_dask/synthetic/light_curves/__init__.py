"""Synthetic light curves of Kepler, K2 and TESS, in the missions' own files."""
