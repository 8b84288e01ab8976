"""Certificates for tests over TLS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Files in PEM, and what signed them.

    Attributes:
        ca: The certificate that signed the others.
        server: The server's, of 127.0.0.1 and localhost, with its key.
        client: A client's, with its key.
        stranger: Another client's, which something else signed.
    """

    ca: Path
    server: Path
    client: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    """Write certificates into a folder."""
    ca, other = trustme.CA(), trustme.CA()
    made = Certificates(
        *(folder / f"{name}.pem" for name in ("ca", "server", "client", "stranger"))
    )
    ca.cert_pem.write_to_path(made.ca)
    issued = (
        (made.server, ca.issue_cert("127.0.0.1", "localhost")),
        (made.client, ca.issue_cert("client")),
        (made.stranger, other.issue_cert("stranger")),
    )
    for path, certificate in issued:
        certificate.private_key_and_cert_chain_pem.write_to_path(path)
    return made
