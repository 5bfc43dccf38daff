"""The catalogue: what data.gouv.fr says exists.

Datasets and resources as values, read from the API: version 2 for datasets and their paged resources (version 1 puts
thousands of resources in one answer), version 2 too for one resource by its id alone. Bytes are ``fetch``'s business.

What to believe of a resource:

- ``filetype`` "file" is stored by data.gouv.fr itself, under an address that is new with every upload. ``url``,
  ``filesize`` and ``checksum`` were taken together from that upload, so bytes from ``url`` must match them.
- ``filetype`` "remote" is somebody else's server. ``filesize`` and ``checksum`` are what was once seen there: hints.
- ``extras`` (``check:…``, ``analysis:…``) are only refreshed when the crawler sees a change, and have been found months
  behind the file, with another length and checksum. Rocade does not read them.
- ``last_modified`` of a remote resource can move without a byte changing, or stay while bytes change. Only bytes tell.
"""

from pipelines.catalog.addresses import Place, place_of
from pipelines.catalog.client import Catalog, open_catalog
from pipelines.catalog.search import Facet, Found, Query
from pipelines.catalog.values import Checksum, Dataset, Resource

__all__ = ["Catalog", "Checksum", "Dataset", "Facet", "Found", "Place", "Query", "Resource", "open_catalog", "place_of"]
