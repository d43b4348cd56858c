"""Stored rows: attribute names, queue keys, sizes."""
