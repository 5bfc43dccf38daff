"""A contract proposed from the data: types with their evidence, keys, null tokens, code lists, French identifiers.

Belongs here: looking at a file (``inspect``), judging its columns, writing what was found as a contract that somebody can
read and correct, reading a schema of schema.data.gouv.fr as one. Does not: deciding what is published. A proposed contract
goes the way of every other.

Values are looked at first, names second; a name only settles what values leave open. What stays unsure is said in a comment.
"""
