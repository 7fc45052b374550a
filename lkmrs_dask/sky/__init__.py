"""Geometry of the sphere: HEALPix index, tiling, regions, plates."""
