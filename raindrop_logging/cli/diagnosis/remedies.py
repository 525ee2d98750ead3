"""What to do about each failure.

In: an HTTP status, or the error of an attempt.  Out: a sentence or two.  Touches: nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_WRONG_PATH: Final = "check endpoint: it is the address up to the API version, and usually ends in /v1/"
_SLOWER: Final = "nothing is lost: the handler waits and retries. If it stays so, raise upload_interval"
_THEIRS: Final = (
    "the receiver, or what stands before it, is in trouble; the handler retries within retry_budget, and with a "
    "spool_dir keeps what it has for longer"
)

OF_STATUS: Final[Mapping[int, str]] = {
    400: "the receiver does not take this record: see its answer; is the endpoint a Raindrop API?",
    401: "the write key is not known: copy it again from the dashboard, and look for blanks or quotes around it",
    403: "the write key may not do this: check project_id, and that the key belongs to that project",
    404: _WRONG_PATH,
    405: _WRONG_PATH,
    407: "the proxy wants a user and a password: proxy = http://user:password@host:port, or the same in HTTPS_PROXY",
    408: _SLOWER,
    413: "what stands before the receiver takes no body of this size: lower upload_bytes",
    422: "the receiver does not take this record: see its answer; is the endpoint a Raindrop API?",
    425: _SLOWER,
    429: _SLOWER,
}

REDIRECT: Final = (
    "redirects are never followed, since they could carry the key elsewhere: if you trust the new place, make it the "
    "endpoint"
)
NOT_ITS_ANSWER: Final = (
    "a page for people answers there, so the records are gone: is it a log-in page of the network, or the address of "
    "the dashboard instead of the API?"
)

OF_ERROR: Final[Mapping[str, str]] = {
    "ConnectError": "nothing takes the connection: see the steps above",
    "ConnectTimeout": "the host does not answer: see whether a firewall is in between",
    "ProxyError": OF_STATUS[407],
    "ReadError": "the receiver, or something in between, hung up: is it behind a load balancer with a short timeout?",
    "ReadTimeout": "the connection stands, and no answer comes in time: raise timeout, or see what keeps the receiver",
    "RemoteProtocolError": "what listens there hung up, or does not speak HTTP: check the port, and http or https",
    "WriteError": "the receiver, or something in between, hung up while the request was sent",
    "WriteTimeout": "the receiver takes nothing any more: see what keeps it",
}
_OF_ANY_ERROR: Final = "see the error; the steps above show what works"

OF_CERTIFICATE: Final[Mapping[int, str]] = {
    9: "the certificate is not valid yet: is this machine's clock right?",
    10: "the certificate has expired: whoever runs the receiver must renew it; is this machine's clock right?",
    18: "the receiver signed its certificate itself: if it is yours, put that certificate into a file, and name the "
    "file in verify",
    19: "its authority is not known here, as behind a proxy that opens TLS: put that authority's certificate into a "
    "file, and name the file in verify",
    20: "its authority is not known here: name a file of its certificates in verify, or install ca-certificates; an "
    "intermediate certificate may be missing at the receiver",
    62: "the certificate is for another name: is the endpoint spelled as in the certificate?",
    64: "the certificate is for another address: use the name that it is for",
}
"""By OpenSSL's numbers of verification errors, which are the same in all its versions."""

_OF_ANY_CERTIFICATE: Final = "name a file of certificates to trust in verify, if you know why it is not trusted"


def of_status(status: int) -> str:
    """What to do about an HTTP status that is none of the 2xx."""
    if status in OF_STATUS:
        return OF_STATUS[status]
    if 300 <= status < 400:  # noqa: PLR2004 -- the class of redirects
        return REDIRECT
    return _THEIRS if status >= 500 else "see its answer; is the endpoint a Raindrop API?"  # noqa: PLR2004 -- and of 5xx


def of_error(kind: str) -> str:
    """What to do about an error of httpx, by the name of its class."""
    return OF_ERROR.get(kind, _OF_ANY_ERROR)


def of_certificate(number: int) -> str:
    """What to do about a certificate that OpenSSL does not trust."""
    return OF_CERTIFICATE.get(number, _OF_ANY_CERTIFICATE)
