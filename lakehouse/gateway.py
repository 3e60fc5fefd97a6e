"""Spark's answers to Python without the network's habit of waiting: long ones come forty milliseconds earlier.

The JVM sends an answer of more than 8 KB (a plan, a wide schema) in pieces, and holds the last one back until the
first is acknowledged; Linux delays that acknowledgement by 40 ms, in case there is something to say with it. There
never is. A study's gate reads a plan a query, so this was most of what it cost.
"""

from __future__ import annotations

import socket
from typing import Any

QUICK = getattr(socket, "TCP_QUICKACK", None)
"""Linux' option; other systems delay otherwise, or not at all."""


class PromptSocket:
    """A connected socket that acknowledges at once what answers a sending; everything else is the socket's own."""

    def __init__(self, connected: socket.socket) -> None:
        self._connected = connected

    def sendall(self, content: bytes) -> None:
        """Send; the option is set anew each time, since every sending takes it back."""
        self._connected.sendall(content)
        if QUICK is not None:
            self._connected.setsockopt(socket.IPPROTO_TCP, QUICK, 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connected, name)


def prompt_answers() -> None:
    """Let every connection to a JVM made from now on answer promptly; done once a process."""
    from py4j.clientserver import ClientServerConnection

    if QUICK is None or hasattr(ClientServerConnection, "_patternlake"):
        return
    authenticate = ClientServerConnection._authenticate_connection
    called_back = ClientServerConnection.init_socket_from_python_server

    def authenticated(connection: Any) -> None:
        connection.socket = PromptSocket(connection.socket)
        authenticate(connection)

    def taken(connection: Any, connected: socket.socket, stream: Any) -> None:
        called_back(connection, PromptSocket(connected), stream)

    ClientServerConnection._authenticate_connection = authenticated
    ClientServerConnection.init_socket_from_python_server = taken
    ClientServerConnection._patternlake = True
