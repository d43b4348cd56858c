"""Expressions over tasks: `exit == 137 and seconds > 10m`. `parser.parse_expression` is where to begin."""
