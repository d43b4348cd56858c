"""CARRIES OUTPUT: to a folder, to S3, to memory. Never interprets it."""
