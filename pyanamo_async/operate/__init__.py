"""VERBS OF A PERSON: import, status, list, show, logs; functions over ports."""
