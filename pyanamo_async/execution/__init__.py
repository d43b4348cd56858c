"""RUNS ONE SCRIPT: event loop, process group, pipes, resource usage. Knows no store."""
