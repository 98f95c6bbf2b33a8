"""Setting a source up: what is given is checked, here for the dashboard and the command line."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from shared.sources.options import SourceOptions
from shared.sources.storing import FORWARDED
from sources.adapter import Adapter, InvalidSecretError
from sources.registry import ADAPTERS
from sources.signing import check_secret

LONGEST_NAME: Final = 100
_FORWARDED_OPTION: Final = "forwarded"
_check_forwarding: Final[Callable[[str], None]] = check_secret
_EXTRA: Final = "is not known here; check its spelling, or leave it out"


class InvalidSetupError(ValueError):
    """Something that was given is wrong.

    Attributes:
        problems: Each wrong field by its path, and what would be right.
    """

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{field} {message}" for field, message in problems))
        self.problems = problems


class GivenSecret(NamedTuple):
    """A secret that may be added."""

    scheme: str
    value: str


class GivenOptions(NamedTuple):
    """Checked options, and the secret of forwarded deliveries if they held one."""

    stored: dict[str, Any]
    forwarding: GivenSecret | None


def find_adapter(vendor: str) -> Adapter:
    """A vendor's adapter; raises InvalidSetupError."""
    adapter = ADAPTERS.get(vendor)
    if adapter is None:
        raise InvalidSetupError(("vendor", f"must be one of {', '.join(ADAPTERS)}"))
    return adapter


def check_options(
    adapter: Adapter, options: Mapping[str, Any] | None, *, is_platforms: bool
) -> GivenOptions:
    """Check a source's options; raises InvalidSetupError.

    Args:
        adapter: The vendor's.
        options: As given; None for none.
        is_platforms: Whether each call says whose it is.
    """
    given = dict(options or {})
    forwarding = None
    if isinstance(given.get(_FORWARDED_OPTION), str):
        forwarding = check_source_secret(
            adapter, given[_FORWARDED_OPTION], FORWARDED, field="options.forwarded"
        )
        given[_FORWARDED_OPTION] = True
    try:
        checked = SourceOptions.read(adapter, given)
    except ValidationError as error:
        raise InvalidSetupError(*_name_fields(error)) from error
    if checked.general.tenants is not None and not is_platforms:
        raise InvalidSetupError(
            ("options.tenants", "is for a platform's source: this one's calls have one tenant")
        )
    return GivenOptions(checked.store(), forwarding)


def check_source_secret(
    adapter: Adapter, value: str, scheme: str | None, *, field: str
) -> GivenSecret:
    """Check a secret; raises InvalidSetupError. Without a scheme it is of the vendor's default."""
    name, check = FORWARDED, _check_forwarding
    if scheme != FORWARDED:
        try:
            found = adapter.scheme(scheme)
        except KeyError:
            names = [each.name for each in adapter.schemes]
            message = f"must be one of {', '.join([*names, FORWARDED])}"
            raise InvalidSetupError((f"{field}.scheme", message)) from None
        name, check = found.name, found.check
    try:
        check(value)
    except InvalidSecretError as error:
        raise InvalidSetupError((field, str(error))) from error
    return GivenSecret(name, value)


def check_name(name: str) -> str:
    """A source's name, without blanks around it; raises InvalidSetupError."""
    text = name.strip()
    if not text or not text.isprintable() or len(text) > LONGEST_NAME:
        raise InvalidSetupError(("name", f"must be 1 to {LONGEST_NAME} printable characters"))
    return text


def _name_fields(error: ValidationError) -> list[tuple[str, str]]:
    """What is wrong, by path; the values themselves are left out."""
    return [
        (
            ".".join(("options", *map(str, found["loc"]))),
            _EXTRA
            if found["type"] == "extra_forbidden"
            else found["msg"].removeprefix("Value error, "),
        )
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
