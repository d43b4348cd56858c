"""WIRES: settings, where tables and outputs are, opening and closing resources, putting a worker together."""
