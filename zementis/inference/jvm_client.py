"""A py4j client that reports what went wrong instead of logging it and answering with an empty error.

py4j's own client catches whatever interrupts its reading (a worker's time limit too), writes a traceback to the root
logger, and tries again. Imported only where Java is started.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from py4j.java_gateway import GatewayClient, GatewayParameters, JavaGateway
from py4j.protocol import Py4JError, Py4JNetworkError, is_fatal_error

# An answer of megabytes comes in few pieces: between two of them another thread may hold the interpreter for long.
_READ_BYTES = 1024 * 1024


class JavaLost(Exception):  # noqa: N818  # what happened, not what to do
    """The connection to Java broke."""


class Client(GatewayClient):  # type: ignore[misc]  # py4j has no types
    """Sends each command once, and none from a forked child: the sockets there are still the parent's."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._owner = os.getpid()

    def send_command(self, command: str, retry: bool = True, binary: bool = False) -> Any:
        """Give Java's answer. Raises JavaLost, or whatever interrupted the wait for the answer."""
        if self._owner != os.getpid():
            raise JavaLost("the connection is the parent process's")
        connection = None
        try:
            connection = self._get_connection()
            response = connection.send_command(command)
        except Py4JNetworkError as error:
            _close(connection)
            cause = error.cause
            if isinstance(cause, Exception) and not isinstance(cause, (OSError, Py4JError)):
                raise cause from None
            raise JavaLost(str(error)) from error
        except BaseException:
            # The answer that is still to come may not be taken for the next command's.
            _close(connection)
            raise
        if binary:
            return response, self._create_connection_guard(connection)
        if is_fatal_error(response):
            _close(connection)
        else:
            self._give_back_connection(connection)
        return response

    def _create_connection(self) -> Any:
        connection = super()._create_connection()
        # Nothing is on its way yet, so nothing can be in the first stream's buffer.
        connection.stream = connection.socket.makefile("rb", _READ_BYTES)
        return connection

    def abandon(self) -> None:
        """Let go of the sockets in a forked child without a word: shutting them down would cut off the parent."""
        for connection in list(self.deque):
            with contextlib.suppress(OSError):
                os.close(connection.socket.detach())


class Gateway(JavaGateway):  # type: ignore[misc]  # as above
    """A gateway that talks through `Client`."""

    def _create_gateway_client(self) -> Client:
        self.client = Client(gateway_parameters=self.gateway_parameters)
        return self.client


def connect(*, port: int, token: str) -> Gateway:
    """Give the gateway to the Java process that listens at the port of this machine."""
    return Gateway(gateway_parameters=GatewayParameters(port=port, auth_token=token, auto_convert=True))


def _close(connection: Any) -> None:
    if connection is not None:
        with contextlib.suppress(Exception):
            connection.close(False)
