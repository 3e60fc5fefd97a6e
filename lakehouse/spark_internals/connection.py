"""The connection to Spark's JVM (Py4J): prompt answers, commands seen before they are sent, errors that came through it."""

from __future__ import annotations

import functools
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

QUICK = getattr(socket, "TCP_QUICKACK", None)
"""Linux' option; other systems delay otherwise, or not at all."""

HOOKS = ("_authenticate_connection", "init_socket_from_python_server")
"""Methods of Py4J's connection through which every socket passes: those Python opens, and those the JVM calls back on."""

MARK = "_patternlake"


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


def prompt_answers() -> bool:
    """Let every connection to a JVM made from now on answer promptly; done once a process. Whether it is so.

    Without it each exchange with the JVM may wait 40 ms for an acknowledgement, and nothing else differs. Where a
    later Py4J has no such class or methods, sessions therefore work as they are, and the log says so once.
    """
    if QUICK is None:
        return False
    try:
        from py4j.clientserver import ClientServerConnection

        if not hasattr(ClientServerConnection, MARK):
            authenticate, called_back = (getattr(ClientServerConnection, name) for name in HOOKS)
            setattr(ClientServerConnection, HOOKS[0], _with_its_socket(authenticate))
            setattr(ClientServerConnection, HOOKS[1], _with_given_socket(called_back))
            setattr(ClientServerConnection, MARK, True)
    except (ImportError, AttributeError) as error:
        _tell_once(str(error))
        return False
    return True


def _with_its_socket(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, run after the connection's own socket has been made prompt."""

    @functools.wraps(method)
    def prompt(connection: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(held := getattr(connection, "socket", None), socket.socket):
            connection.socket = PromptSocket(held)
        return method(connection, *arguments, **named)

    return prompt


def _with_given_socket(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, given a prompt socket in place of the plain one among its arguments."""

    @functools.wraps(method)
    def prompt(connection: Any, *arguments: Any, **named: Any) -> Any:
        return method(
            connection,
            *(_made_prompt(each) for each in arguments),
            **{name: _made_prompt(each) for name, each in named.items()},
        )

    return prompt


def _made_prompt(value: Any) -> Any:
    return PromptSocket(value) if isinstance(value, socket.socket) else value


@functools.cache
def _tell_once(reason: str) -> None:
    logging.getLogger(__name__).warning(
        "Connections to Spark stay as Py4J makes them, which is slower and otherwise the same: %s", reason
    )


def watch_commands(spark: SparkSession, see: Callable[[str], None]) -> None:
    """Call ``see`` with every Py4J command before it is sent to the JVM, from now to the session's end.

    What ``see`` raises keeps the command from being sent. Only the first call for a session has an effect.
    """
    client: Any = spark.sparkContext._gateway._gateway_client  # type: ignore[union-attr]
    if getattr(client, MARK, False):
        return
    send = client.send_command

    @functools.wraps(send)
    def watched(command: str, *arguments: Any, **named: Any) -> Any:
        see(command)
        return send(command, *arguments, **named)

    setattr(client, MARK, True)
    client.send_command = watched


def text_in(argument: str) -> str:
    """The text that an argument of a Py4J command stands for, whose line breaks are written as ``\\n``."""
    from py4j.protocol import unescape_new_line

    return str(unescape_new_line(argument))


def is_from_spark(error: BaseException) -> bool:
    """Whether an exception was raised by PySpark or came out of the JVM."""
    return type(error).__module__.partition(".")[0] in ("pyspark", "py4j")


def given(thing: Any, method: str) -> Any:
    """What a Java object's method without parameters returns, or ``None`` where the object has no such method."""
    from py4j.protocol import Py4JError

    try:
        return getattr(thing, method)()
    except Py4JError:
        return None
