"""What is in the bytes, whatever the name says, and every kind of it as delimited text.

Belongs here: telling kinds apart by their first bytes (``detect``) and turning each into files that ``sniff`` reads
(``unpack``). A delimited text is used where it is. Everything else is written to a scratch folder as CSV, in UTF-8, one
record a row, each value as the text that its publisher would recognise: nothing is rounded, padded or typed here, that is
the contract's business. Does not: encodings, separators, headers, which are ``sniff``'s.

All kinds stream; none needs more memory than a row, except a sheet, which its library reads whole.
"""

from pipelines.conform.kinds.detect import Kind, kind_of
from pipelines.conform.kinds.unpack import Part, unpack

__all__ = ["Kind", "Part", "kind_of", "unpack"]
