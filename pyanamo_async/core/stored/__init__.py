"""What is stored: attribute names, queue keys, row sizes."""
