"""The steps to a receiver: each one that fails says why and what to do, and those behind it are left out."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from raindrop_logging._pipeline import parts
from raindrop_logging.cli.diagnosis import reach
from raindrop_logging.settings import read_settings
from tests.doctor.forward_proxy import PASSWORD, ForwardProxy
from tests.faults.faulty_server import FaultyServer, never_read, tls_garbage
from tests.wire.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from tests.doctor.conftest import Ask

NOW = datetime.now(UTC)


@contextmanager
def https_server(authority: trustme.CA, *names: str, **issued: Any) -> Generator[FaultyServer]:
    """A receiver that shows a certificate of this authority's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1",)), **issued).configure_cert(context)
    with FaultyServer(tls=context) as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the certificates."""
    return trustme.CA(organization_name="Test Authority")


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    """A file with the authority's certificate."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


# ---- names and ports


def test_a_name_that_does_not_exist(ask: Ask) -> None:
    """The look-up fails by name, and nothing behind it is tried."""
    visit = ask(RAINDROP_ENDPOINT="https://raindrop.invalid/v1/")
    assert visit.code == 1
    assert visit.states("Network") == {
        "endpoint": "ok",
        "proxy": "ok",
        "dns": "fail",
        "tcp": "skip",
        "tls": "skip",
    }
    assert "raindrop.invalid cannot be resolved" in visit["dns"]["said"]
    assert "spelling" in visit["dns"]["todo"]
    assert visit["records"]["state"] == "skip"


def test_a_port_where_nobody_listens(ask: Ask) -> None:
    """On this machine the remedy is to start the Workshop."""
    with Recorder() as gone:
        endpoint = gone.endpoint
    visit = ask(RAINDROP_ENDPOINT=endpoint)
    assert (visit.failed, visit["tls"]["state"]) == (["tcp"], "skip")
    assert "refused" in visit["tcp"]["said"]
    assert "raindrop-logging workshop" in visit["tcp"]["todo"]


def test_an_address_that_shows_the_key_is_warned_of() -> None:
    """Plain http to another machine is said to be readable on the way, before anything is connected."""
    receiver = parts.primary(read_settings({"write_key": "rk_test", "endpoint": "http://receiver.invalid/v1/"}, {}))
    first, *_ = reach.checks(receiver, 1.0, {})
    assert (first.name, first.state) == ("endpoint", "warn")
    assert "can be read on the way" in first.said


# ---- TLS


def test_a_certificate_that_is_trusted(ask: Ask, authority: trustme.CA, bundle: str) -> None:
    """Its name, its authority and its end are told, and the records go through."""
    with https_server(authority, not_after=NOW + timedelta(days=90, hours=1)) as server:
        visit = ask(RAINDROP_ENDPOINT=server.endpoint, RAINDROP_VERIFY=bundle)
    assert (visit.code, visit["tls"]["state"]) == (0, "ok")
    assert (visit["tls"]["subject"], visit["tls"]["issuer"]) == ("127.0.0.1", "Test Authority")
    assert visit["tls"]["days_left"] == 90
    assert visit["tls"]["version"].startswith("TLSv1.")


def test_a_certificate_that_ends_soon(ask: Ask, authority: trustme.CA, bundle: str) -> None:
    """A few days before its end it is a warning."""
    with https_server(authority, not_after=NOW + timedelta(days=3, hours=1)) as server:
        visit = ask("--no-send", RAINDROP_ENDPOINT=server.endpoint, RAINDROP_VERIFY=bundle)
    assert (visit.code, visit["tls"]["state"], visit["tls"]["days_left"]) == (0, "warn", 3)


def test_an_authority_that_is_not_known(ask: Ask, authority: trustme.CA) -> None:
    """It is not trusted, and still told whose it is, until when, and which key names those to trust."""
    with https_server(authority) as server:
        visit = ask(RAINDROP_ENDPOINT=server.endpoint)
    check = visit["tls"]
    assert (visit.failed, check["subject"], check["issuer"]) == (["tls"], "127.0.0.1", "Test Authority")
    assert "verify" in check["todo"]
    assert server.requests == []


def test_a_certificate_that_has_expired(ask: Ask, authority: trustme.CA, bundle: str) -> None:
    """The day of its end is told, and the clock is one of the suspects."""
    before, after = NOW - timedelta(days=30), NOW - timedelta(days=10)
    with https_server(authority, not_before=before, not_after=after) as server:
        visit = ask(RAINDROP_ENDPOINT=server.endpoint, RAINDROP_VERIFY=bundle)
    check = visit["tls"]
    assert (visit.failed, check["reason"], check["until"]) == (
        ["tls"],
        "certificate has expired",
        after.date().isoformat(),
    )
    assert "clock" in check["todo"]


def test_a_certificate_for_another_name(ask: Ask, authority: trustme.CA, bundle: str) -> None:
    """The name that it is for is told."""
    with https_server(authority, "api.other.example") as server:
        visit = ask(RAINDROP_ENDPOINT=server.endpoint, RAINDROP_VERIFY=bundle)
    assert (visit.failed, visit["tls"]["subject"]) == (["tls"], "api.other.example")
    assert "the name that it is for" in visit["tls"]["todo"]


def test_nobody_is_asked_for_a_certificate(ask: Ask, authority: trustme.CA) -> None:
    """`verify: false` works, and is warned of."""
    with https_server(authority) as server:
        visit = ask(RAINDROP_ENDPOINT=server.endpoint, RAINDROP_VERIFY="false")
    assert (visit.code, visit["tls"]["state"], visit["tls"]["issuer"]) == (0, "warn", "Test Authority")
    assert "can read the write key" in visit["tls"]["said"]


def test_a_port_that_speaks_no_tls(ask: Ask) -> None:
    """Another protocol behind an https address is said to be that."""
    with FaultyServer() as server:
        server.default = tls_garbage
        visit = ask(RAINDROP_ENDPOINT=server.endpoint.replace("http:", "https:"))
    assert visit.failed == ["tls"]
    assert "speaks TLS" in visit["tls"]["todo"]


def test_a_handshake_that_hangs(ask: Ask) -> None:
    """A port that takes the connection and never answers ends with the time of the step."""
    with FaultyServer() as server:
        server.default = never_read
        visit = ask("--timeout", "0.3", RAINDROP_ENDPOINT=server.endpoint.replace("http:", "https:"))
    assert visit.failed == ["tls"]
    assert "timed out" in visit["tls"]["said"]


def test_a_bundle_that_is_none(ask: Ask, authority: trustme.CA, tmp_path: Path) -> None:
    """A file without a certificate in it is named as what cannot be read."""
    path = tmp_path / "notes.pem"
    path.write_text("not a certificate")
    with https_server(authority) as server:
        visit = ask(RAINDROP_ENDPOINT=server.endpoint, RAINDROP_VERIFY=str(path))
    assert visit.failed == ["tls"]
    assert "cannot be read" in visit["tls"]["said"]


# ---- proxies


def test_a_proxy_opens_the_way(ask: Ask, authority: trustme.CA, bundle: str, config: Callable[..., str]) -> None:
    """TLS and records go through it; its address is told, and neither its user nor its password."""
    with https_server(authority) as server, ForwardProxy() as proxy:
        visit = ask("--config", config(endpoint=server.endpoint, verify=bundle, proxy=proxy.address()))
    assert (visit.code, visit["tls"]["state"]) == (0, "ok")
    assert visit["proxy"]["said"] == f"http://127.0.0.1:{proxy.port} (key proxy)"
    assert visit.keys["proxy"] == (f"http://127.0.0.1:{proxy.port}", "file")
    assert len(proxy.tunnels) >= 2
    assert PASSWORD not in str(visit.report)


def test_a_proxy_that_refuses_its_user(ask: Ask, authority: trustme.CA, bundle: str) -> None:
    """407 is told with where user and password belong, and what was tried is not shown."""
    with https_server(authority) as server, ForwardProxy() as proxy:
        address = proxy.address(password="guessed-wrong")
        visit = ask(RAINDROP_ENDPOINT=server.endpoint, RAINDROP_VERIFY=bundle, RAINDROP_PROXY=address)
    assert (visit.failed, visit["tls"]["status"]) == (["tls"], 407)
    assert "user and a password" in visit["tls"]["todo"]
    assert "guessed-wrong" not in str(visit.report)


def test_a_proxy_of_the_environment(ask: Ask, recorder: Recorder) -> None:
    """The variable that names it is told; requests for plain http are handed to it whole."""
    visit = ask(RAINDROP_ENDPOINT="http://receiver.invalid/v1/", http_proxy=recorder.base)
    assert visit["proxy"]["said"] == f"{recorder.base} (variable http_proxy)"
    assert visit.failed == []
    assert {request.headers["Host"] for request in recorder.requests} == {"receiver.invalid"}


def test_a_proxy_that_is_not_there(ask: Ask) -> None:
    """It is the proxy that is named, not the receiver."""
    with Recorder() as gone:
        address = gone.base
    visit = ask(RAINDROP_ENDPOINT="https://receiver.invalid/v1/", RAINDROP_PROXY=address)
    assert visit.failed == ["tcp"]
    assert "the proxy runs there" in visit["tcp"]["todo"]
