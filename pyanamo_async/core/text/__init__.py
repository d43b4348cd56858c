"""Durations, sizes and counts as people read and write them."""
