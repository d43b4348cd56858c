"""THE MACHINE: clock, CPUs, PID 1, whether a process is alive."""
