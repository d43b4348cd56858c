"""How durations, sizes and counts are written."""
