"""CARRIES OUTPUT: to a folder, to S3, to CloudWatch Logs, to memory. Never interprets it."""
