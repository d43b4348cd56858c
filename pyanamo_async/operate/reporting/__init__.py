"""Report on tables: collect what they hold in bounded memory, and draw it as one page that needs nothing else."""
