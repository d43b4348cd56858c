"""Export tasks into a database or file: a row for each, with its record and its results. `export` is where to begin."""
