"""Memory: what tasks used of it, what they need, and what may run beside what."""
