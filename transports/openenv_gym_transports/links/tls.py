"""TLS of a link: which servers it trusts, and the certificate that it shows them."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from openenv_gym.errors import OptionError

Verify = str | os.PathLike[str] | ssl.SSLContext
"""A file or folder of certificates that sign the server's, or a context of the user's."""

Cert = str | os.PathLike[str] | tuple[str | os.PathLike[str], ...]
"""A client certificate with its key: a file, or its file, the key's file and the key's password."""


def make_context(verify: Verify | None, cert: Cert | None) -> ssl.SSLContext:
    """Return what TLS connections are made with.

    Args:
        verify: See :data:`Verify`; None trusts what this system does, or ``SSL_CERT_FILE`` names.
        cert: See :data:`Cert`; None shows no certificate.

    Raises:
        OptionError: A file is missing or is not in PEM, or both say who this client is.
    """
    if isinstance(verify, ssl.SSLContext):
        if cert is not None:
            raise OptionError(
                "cert= is not taken beside an ssl.SSLContext: load the certificate into the "
                "context (load_cert_chain), or give verify= the path of a CA."
            )
        return verify
    context = _trusting(verify)
    if cert is not None:
        _load(context, cert)
    return context


def _trusting(verify: str | os.PathLike[str] | None) -> ssl.SSLContext:
    if verify is None:
        return ssl.create_default_context()
    if not isinstance(verify, str | os.PathLike):
        raise OptionError(
            f"verify={verify!r}: give the path of a CA's certificate in PEM, or an ssl.SSLContext."
        )
    try:
        if Path(verify).is_dir():
            return ssl.create_default_context(capath=verify)
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        raise OptionError(
            f"verify={os.fspath(verify)!r} cannot be used: {error}. Give the path of a CA's "
            "certificate in PEM, or an ssl.SSLContext.",
            verify=os.fspath(verify),
        ) from error


def _load(context: ssl.SSLContext, cert: Cert) -> None:
    files = [*cert] if isinstance(cert, tuple) else [cert]
    if not 1 <= len(files) <= 3 or not all(isinstance(one, str | os.PathLike) for one in files):
        raise OptionError(
            "cert= takes the path of a certificate with its key in PEM, or (certificate, key) or "
            "(certificate, key, password)."
        )
    key = files[1] if len(files) > 1 else None
    password = os.fspath(files[2]) if len(files) > 2 else _no_password
    try:
        context.load_cert_chain(files[0], key, password)
    except OSError as error:
        raise OptionError(
            f"cert={os.fspath(files[0])!r} cannot be used: {error}. Give a certificate and its key "
            "in PEM.",
            cert=os.fspath(files[0]),
        ) from error


def _no_password() -> str:
    raise OptionError("The key of cert= has a password: give (certificate, key, password).")
