"""RUNS ONE SCRIPT: event loop, process group, pipes, resource usage. Knows no store."""

from pyanamo_async.execution.guard import Guard
from pyanamo_async.execution.launcher import ShellLauncher, find_shell
from pyanamo_async.execution.memory_sampler import MemorySampler
from pyanamo_async.execution.memory_samples import MemorySamples
from pyanamo_async.execution.process import ShellProcess
from pyanamo_async.execution.runner import run, scripts_at_once

__all__ = [
    "Guard",
    "MemorySampler",
    "MemorySamples",
    "ShellLauncher",
    "ShellProcess",
    "find_shell",
    "run",
    "scripts_at_once",
]
