"""Every failure of the network, real where it can be made, and what it proves about the write."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from requests import exceptions

from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import ConfigurationError, HubSpotError, NetworkError, UnavailableError
from shared.hubspot.transport import build_session, error_of_failure
from tests.hubspot.conftest import PATIENT, TOKEN, UNANSWERED, UNCONNECTED, client_at
from tests.hubspot.scripted import (
    Broken,
    Reply,
    ScriptedServer,
    Step,
    flood,
    go_on_for_ever,
    hang,
    reset,
    reset_unread,
    serving,
    trickle,
    trickle_headers,
    trickle_nothing,
    trickle_trailers,
)

ACCOUNT = Reply(200, {"portalId": 1})
TRICKLES = (trickle, trickle_headers, trickle_nothing, trickle_trailers, go_on_for_ever)


def failure(client: HubSpotClient) -> HubSpotError:
    with pytest.raises(HubSpotError) as caught:
        client.account_details()
    return caught.value


def is_unsent(error: HubSpotError) -> bool:
    return isinstance(error, NetworkError) and error.definite and not error.sent


def is_ambiguous(error: HubSpotError) -> bool:
    return isinstance(error, NetworkError) and error.sent and not error.definite


@contextmanager
def listening(backlog: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(backlog)
        yield listener


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"


def closed_port_url() -> str:
    with listening(1) as listener:
        return url_of(listener)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(reset, id="reset after the request was read"),
        pytest.param(reset_unread, id="reset before the request was read"),
        pytest.param(hang, id="no answer"),
        *(pytest.param(each, id=each.__name__) for each in TRICKLES),
        pytest.param(Broken(b""), id="closed without an answer"),
        pytest.param(Broken(b"\x16\x03\x01 not HTTP"), id="not HTTP"),
        pytest.param(Broken(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"), id="cut short"),
        pytest.param(
            Broken(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), id="cut chunk"
        ),
        pytest.param(
            Broken(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), id="bad chunk"
        ),
        pytest.param(Reply(200, b"{}", {"Content-Encoding": "gzip"}), id="not gzip"),
    ],
)
def test_failure_after_the_request_may_have_left_is_ambiguous(
    step: Step, server: ScriptedServer, session: requests.Session
) -> None:
    server.then(step)
    is_silent = any(step is each for each in (hang, *TRICKLES))
    timeout = UNANSWERED if is_silent else PATIENT
    assert is_ambiguous(failure(client_at(server.url, session, timeout)))


def test_break_of_a_kept_alive_connection_is_ambiguous_and_not_repeated(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(ACCOUNT, reset, ACCOUNT)
    client.account_details()
    assert is_ambiguous(failure(client))
    assert len(server.received) == 2
    assert server.connections == 1


def test_refused_connection_is_definite(session: requests.Session) -> None:
    assert is_unsent(failure(client_at(closed_port_url(), session)))


def test_unknown_host_is_definite(session: requests.Session) -> None:
    error = failure(client_at("http://hubspot.invalid", session))
    assert is_unsent(error)
    assert error.category == "NameResolutionError"


def test_connect_timeout_is_definite(session: requests.Session) -> None:
    with (
        listening(0) as listener,
        socket.create_connection(listener.getsockname()),  # fills the backlog
    ):
        assert is_unsent(failure(client_at(url_of(listener), session, UNCONNECTED)))


def test_unreachable_proxy_is_definite(session: requests.Session) -> None:
    session.proxies = {"http": closed_port_url()}
    assert is_unsent(failure(client_at("http://hubspot.invalid", session)))


def test_proxy_that_refuses_its_tunnel_is_definite(
    server: ScriptedServer, session: requests.Session
) -> None:
    session.proxies = {"https": server.url}
    assert is_unsent(failure(client_at("https://hubspot.invalid", session)))


def test_untrusted_certificate_is_definite(tmp_path: Path, session: requests.Session) -> None:
    with serving_tls(self_signed(tmp_path), received=[]) as url:
        assert is_unsent(failure(client_at(url, session)))


def test_tls_connection_that_breaks_after_the_request_is_ambiguous(
    tmp_path: Path, session: requests.Session
) -> None:
    certificate = self_signed(tmp_path)
    session.verify = str(certificate)
    received: list[bytes] = []
    with serving_tls(certificate, received) as url:
        error = failure(client_at(url, session))
    assert is_ambiguous(error)
    assert error.category == "SSLError"
    assert received[0].startswith(b"GET /account-info/")


def test_answer_beyond_all_measure_is_not_read_to_its_end(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(flood)
    error = failure(client)
    assert isinstance(error, UnavailableError)
    assert not error.definite


@pytest.mark.parametrize("url", ["hubspot.example", "ftp://hubspot.example", "http://"])
def test_malformed_url_is_ours_to_mend(url: str, session: requests.Session) -> None:
    error = failure(client_at(url, session))
    assert isinstance(error, ConfigurationError)
    assert error.definite


def test_malformed_proxy_is_ours_to_mend(session: requests.Session) -> None:
    session.proxies = {"http": "http://:bad"}
    assert isinstance(failure(client_at("http://hubspot.invalid", session)), ConfigurationError)


def subclasses(of: type[exceptions.RequestException]) -> set[type[exceptions.RequestException]]:
    return {of}.union(*(subclasses(each) for each in of.__subclasses__()))


@pytest.mark.parametrize("foreign", sorted(subclasses(exceptions.RequestException), key=str))
def test_foreign_error_without_proof_is_never_definite(
    foreign: type[exceptions.RequestException],
) -> None:
    error = error_of_failure(foreign.__new__(foreign))
    assert is_ambiguous(error) or isinstance(error, ConfigurationError)


def test_redirect_is_not_followed_with_the_token(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    with serving(ScriptedServer()) as elsewhere:
        server.then(Reply(307, b"", {"Location": f"{elsewhere.url}/account-info"}))
        error = failure(client)
    assert isinstance(error, UnavailableError)
    assert elsewhere.received == []


def test_connection_is_kept_alive_and_cookies_are_not(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(Reply(200, {"portalId": 1}, {"Set-Cookie": "account=1; Path=/"}), ACCOUNT)
    client.account_details()
    client.account_details()
    assert server.connections == 1
    assert "Cookie" not in server.received[1].headers


def test_request_names_us_and_carries_the_token_despite_a_netrc(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.then(ACCOUNT)
    with build_session(pool_size=1) as session:
        client_at(server.url, session).account_details()
    headers = server.received[0].headers
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["User-Agent"].startswith("hubspot-call-sync/")


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def serving_tls(certificate: Path, received: list[bytes]) -> Iterator[str]:
    """Serve one TLS connection that reads a request and then breaks its encryption."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.dup() as unencrypted:
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    received.append(secured.recv(65536))
                    unencrypted.sendall(b"not a TLS record")
            except OSError:  # the client does not trust us
                return

    with listening(1) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield url_of(listener, "https")
        thread.join()
