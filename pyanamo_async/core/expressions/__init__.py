"""Expressions over tasks: `exit == 137 and seconds > 10m`. `expression.parse_expression` is where to begin."""
