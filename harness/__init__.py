"""What tests and benchmarks share: test servers (`servers`) and `pyanamo` as a process in a folder (`program`)."""
