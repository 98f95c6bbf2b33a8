"""From which network address somebody asks."""

from ipaddress import IPv6Address, ip_address

from flask import request

from api.context.services import services


def client_address() -> str | None:
    """The network address of whoever asks, as the trusted proxies tell it.

    None where the server knows of none. What is no address is not taken over from a header.
    """
    proxies = services().settings.trusted_proxies
    if proxies:
        # Each proxy adds whom it heard from at the end; what stands before is anybody's claim.
        told = request.headers.get("X-Forwarded-For", "").split(",")
        if len(told) >= proxies and (address := _read_address(told[-proxies])):
            return address
    return _read_address(request.remote_addr or "")


def _read_address(text: str) -> str | None:
    """An address in its usual spelling, without the port that some proxies add."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # A zone is a name on the machine of whoever wrote it.
        return str(address.ipv4_mapped or IPv6Address(int(address)))
    return str(address)
