"""Addresses of servers: reading them, and which of them only this machine can reach."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from typing import NamedTuple

from lifemask._errors import AddressInUseError, StreamError

DEFAULT_PORT = 50710
DEFAULT_ADDRESS = f"127.0.0.1:{DEFAULT_PORT}"


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return `host:port`, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read `host`, `host:port` or `[ipv6]:port`; port 50710 when left out.

    Raises:
        StreamError: If it is none of them.
    """
    host, port = text.strip(), str(DEFAULT_PORT)
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise StreamError(
            f"{text!r} is not an address",
            hint="Write host:port, for example 127.0.0.1:50710 or [::1]:50710.",
        )
    return Address(host, int(port))


def is_loopback(host: str) -> bool:
    """Return whether every address that the host name stands for is this machine's loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)


def bind_error(address: Address) -> StreamError:
    """Return the error that says why a server could not listen at an address."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address.host, address.port))
    except OSError as error:
        # Windows reports a port that another program holds for itself as a lack of rights.
        if error.errno == errno.EADDRINUSE or (os.name == "nt" and error.errno == errno.EACCES):
            return _in_use(address)
        return StreamError(
            f"this machine cannot listen at {address}: {error.strerror or error}",
            hint="Give an address of this machine, for example 127.0.0.1:50710.",
        )
    return _in_use(address)


def _in_use(address: Address) -> AddressInUseError:
    return AddressInUseError(
        f"port {address.port} at {address.host} is taken by another program",
        hint="Stop the other server, or choose another port with --address.",
    )
