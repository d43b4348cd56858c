"""Task files: the lines that people import, made into items."""
