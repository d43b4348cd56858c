"""The test servers: DynamoDB Local for tables, moto for S3 and CloudWatch Logs, on loopback ports of their own.

Laws: they are fetched and started by whoever needs them first; all workers of one test run share them; they end with
the run that started them, however that run ends. What is missing to run them is said by name.
"""
