"""WIRES."""
