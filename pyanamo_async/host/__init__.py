"""THE MACHINE: clock, CPUs, PID 1, process liveness, waiting and retrying."""
