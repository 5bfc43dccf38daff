"""Every error that Rocade raises on purpose.

::

    RocadeError                exit code 1   something could not be done
    ├── SettingsError          exit code 2   a setting or an argument does not make sense
    ├── ContractError          exit code 2   a file in schemas/ or sql/ is not a valid contract
    ├── CatalogError           exit code 4   data.gouv.fr did not answer, or not with what its API promises
    ├── FetchError             exit code 4   the bytes could not be brought, or are not what was promised
    │   ├── ResourceGone       exit code 4   404 or 410: asking again will not help
    │   └── CorruptDownload    exit code 4   wrong length or checksum
    ├── ConformError           exit code 5   the bytes are not a table that a contract knows
    ├── QualityError           exit code 5   too many rejected rows, or a failed expectation: nothing was published
    ├── LakeError              exit code 1   the lake could not be read or committed to
    ├── CollectError           exit code 4   the MQTT session cannot be had, or would lose data
    ├── TablesError            exit code 1   a statement in sql/ failed or cannot be planned
    └── GuardError             exit code 5   a table would have disclosed somebody

An error says where it happened, what is wrong and what to do next; the command line prints the three on lines of their
own. Rows that are merely bad are not errors: they wait in quarantine.
"""

from __future__ import annotations


class RocadeError(Exception):
    """Something that Rocade was asked to do could not be done.

    Args:
        what: the fault, as a sentence without its place.
        where: file, topic, URL, table or line.
        fix: what the reader can do next.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.fix})" if self.fix else ""
        return f"{place}{self.what}{advice}"

    def __reduce__(self) -> tuple[object, ...]:
        # Airflow and process pools pickle exceptions; keyword-only arguments need saying.
        return (_rebuild, (type(self), self.what, self.where, self.fix))


def _rebuild(kind: type[RocadeError], what: str, where: str | None, fix: str | None) -> RocadeError:
    return kind(what, where=where, fix=fix)


class SettingsError(RocadeError):
    """A setting or an argument does not make sense."""

    exit_code = 2


class ContractError(RocadeError):
    """A file in schemas/ or sql/ is not a valid contract."""

    exit_code = 2


class CatalogError(RocadeError):
    """data.gouv.fr did not answer, or not with what its API promises."""

    exit_code = 4


class FetchError(RocadeError):
    """The bytes could not be brought, or are not what was promised."""

    exit_code = 4


class ResourceGone(FetchError):  # noqa: N818 - the state of the resource is its name
    """The server says 404 or 410: asking again will not help."""


class CorruptDownload(FetchError):  # noqa: N818 - as above
    """The bytes have another length or checksum than promised."""


class ConformError(RocadeError):
    """The bytes are not a table that a contract knows."""

    exit_code = 5


class QualityError(RocadeError):
    """Too many rejected rows, or a failed expectation: nothing was published."""

    exit_code = 5


class LakeError(RocadeError):
    """The lake could not be read or committed to."""


class CollectError(RocadeError):
    """The MQTT session cannot be had, or would lose data."""

    exit_code = 4


class TablesError(RocadeError):
    """A statement in sql/ failed or cannot be planned."""


class GuardError(RocadeError):
    """A table would have disclosed somebody."""

    exit_code = 5
