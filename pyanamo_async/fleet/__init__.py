"""WORKERS AMONG EACH OTHER: membership, reclaim, when to go home, notifications."""
