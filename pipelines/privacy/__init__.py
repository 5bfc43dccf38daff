"""Privacy: who may be known, by what name, and since when.

Belongs here: pseudonyms, the consent ledger. Does not: how messages arrive (collect) or what tables show (tables).
"""
