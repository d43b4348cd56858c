"""Task files: what people import."""
