"""Which version of the service this is."""

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """The version; `source` when started from a checkout that is not installed."""
    try:
        return version("hubspot-call-sync")
    except PackageNotFoundError:
        return "source"
