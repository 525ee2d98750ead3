"""The TLS handshake with a receiver: whose certificate it shows, until when, and why it is not trusted.

In: what opens a connection, the host's name, the `Receiver`.  Out: one check.  Touches: sockets.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from raindrop_logging._pipeline.sender import Receiver, trusted
from raindrop_logging.cli.diagnosis import remedies
from raindrop_logging.cli.diagnosis.checks import Check, fail, ok, warn

Opened = Callable[[], socket.socket]

SOON_DAYS: Final = 14

_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for."""


def inspected(opened: Opened, host: str, receiver: Receiver) -> Check:
    """What a handshake with the trust of the receiver's settings comes to."""
    try:
        context = _context(receiver)
    except OSError as error:  # ssl.SSLError is one
        said = f"the certificates to trust cannot be read: {error.strerror or error}"
        return fail("tls", said, "check verify, and the variables SSL_CERT_FILE and SSL_CERT_DIR")
    started = time.monotonic()
    try:
        with opened() as connection, context.wrap_socket(connection, server_hostname=host) as tls:
            ms = round((time.monotonic() - started) * 1000, 1)
            return _trusted(tls, _shown(opened, host) if receiver.verify is False else _told(tls.getpeercert()), ms)
    except ssl.SSLCertVerificationError as error:
        found = _shown(opened, host)
        said = f"the certificate is not trusted: {error.verify_message}{_described(found)}"
        return fail("tls", said, remedies.of_certificate(error.verify_code), reason=error.verify_message, **found)
    except OSError as error:
        said = f"no TLS with {host}: {error.reason if isinstance(error, ssl.SSLError) else error.strerror or error}"
        return fail("tls", said, "see whether that port speaks TLS, and whether something in between cuts it off")


def _context(receiver: Receiver) -> ssl.SSLContext:
    """As the requests themselves have it."""
    import httpx

    told = trusted(receiver)
    return told if isinstance(told, ssl.SSLContext) else httpx.create_ssl_context(verify=told)


def _trusted(tls: ssl.SSLSocket, found: Mapping[str, Any], ms: float) -> Check:
    said = f"{tls.version()}{_described(found)} ({ms:.0f} ms)"
    facts = {"version": tls.version(), "ms": ms, **found}
    if tls.context.verify_mode is ssl.CERT_NONE:
        todo = "take verify: false out; to trust a certificate of your own, name its file in verify"
        return warn("tls", f"{said}, not verified: whoever is in between can read the write key", todo, **facts)
    if found.get("days_left", SOON_DAYS) < SOON_DAYS:
        return warn("tls", said, "the certificate ends soon: see that it is renewed", **facts)
    return ok("tls", said, **facts)


def _shown(opened: Opened, host: str) -> dict[str, Any]:
    """What is in a certificate that is not trusted; nothing where it cannot be told.

    Python shows only what is in one that it trusts. So the one it was shown is fetched, and trusted for one handshake
    that sends nothing, whatever its name and its dates.
    """
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with opened() as connection, context.wrap_socket(connection, server_hostname=host) as tls:
            certificate = tls.getpeercert(binary_form=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        context.load_verify_locations(cadata=certificate)
        with opened() as connection, context.wrap_socket(connection, server_hostname=host) as tls:
            return _told(tls.getpeercert())
    except (OSError, ValueError):
        return {}


def _told(certificate: Mapping[str, Any] | None) -> dict[str, Any]:
    if not certificate:
        return {}
    until = ssl.cert_time_to_seconds(certificate["notAfter"])
    names = [value for _, value in certificate.get("subjectAltName", ())]
    return {
        "subject": names[0] if names else _name(certificate.get("subject", ())),
        "issuer": _name(certificate.get("issuer", ())),
        "until": datetime.fromtimestamp(until, UTC).date().isoformat(),
        "days_left": int((until - time.time()) // 86_400),
    }


def _name(parts: Any) -> str:
    """Organisation, else common name, of a subject or an issuer."""
    said = {key: value for part in parts for key, value in part}
    return str(said.get("organizationName") or said.get("commonName") or "unnamed")


def _described(found: Mapping[str, Any]) -> str:
    if not found:
        return ""
    days = found["days_left"]
    when = f"{days} days left" if days >= 0 else f"{-days} days ago"
    return f", certificate of {found['subject']} by {found['issuer']} until {found['until']} ({when})"
