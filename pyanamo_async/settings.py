"""SETTINGS."""
