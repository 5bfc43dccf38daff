"""Contract changes, proposed: what to alter in schemas/ so that a file which broke its contract is taken again.

A publisher renames a column, adds a code, writes dates the other way round: publication stops, and what is here looks at
the file's first rows and writes the change down as a unified diff, for somebody to read and apply. It never applies it.

Belongs here: edits of a contract's text that leave its comments and order alone (``edits``), which column of a new header
is which of an old one (``columns``, ``layouts``), what a column's cells are when its rule rejects them (``cells``), and the
loop that alters until some rows are taken (``proposal``, ``trial``). Does not: proposing a whole contract (propose), deciding
that a file may be published (quality).
"""

from pipelines.mend.offer import with_proposal
from pipelines.mend.proposal import Proposal, propose_change

__all__ = ["Proposal", "propose_change", "with_proposal"]
