"""The environment of a legacy server (openenv-core 0.1), over HTTP.

Such a server has a single environment, which all of its clients step. So before each step the
client requests its state, which must belong to the episode that this client began. Each request has
a connection of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from openenv_gym.errors import ExchangeTimeoutError, OptionError, ProtocolError, SessionLostError
from openenv_gym.sessions.payload import Payload
from openenv_gym.wire.names import RESET_PATH, STATE_PATH, STEP_PATH
from openenv_gym_transports.links.backoff import Backoff
from openenv_gym_transports.openenv_servers.count import StepCount
from openenv_gym_transports.openenv_servers.failures import failed, step_lost
from openenv_gym_transports.openenv_servers.server import Answer, OpenEnvServer

_RETRY_LIMIT = 60.0
_LONGEST_PAUSE = 0.5
_IGNORED = {"seed", "episode_id"}  # keywords of a reset


class LegacyDialogue:
    """The environment of a legacy server.

    Args:
        server: The server's routes.
        timeout: Seconds to wait for a reply; None waits forever.
    """

    def __init__(self, server: OpenEnvServer, *, timeout: float | None) -> None:
        self._server = server
        self._timeout = timeout
        self._episode: Any = None

    def reset(self, data: Payload) -> Payload:
        """Begin an episode.

        Raises:
            OptionError: Options were given, which the server does not take.
        """
        options = sorted(data.keys() - _IGNORED)
        if options:
            raise OptionError(
                f"The server at {self._server.url} is of openenv-core 0.1, whose resets take no "
                f"options: leave {options} out.",
                options=options,
            )
        reply = self._ask(lambda limit: self._request("POST", RESET_PATH, {}, limit), "reset")
        self._episode = self.state().get("episode_id")
        return reply

    def state(self) -> Payload:
        """The environment's state."""
        return self._ask(
            lambda limit: self._request("GET", STATE_PATH, None, limit), "return its state"
        )

    def rpc(self, method: str, params: dict[str, Any]) -> Payload:
        """Refuse a method of MCP, which such a server does not have.

        Raises:
            EnvironmentFailedError: Always.
        """
        raise failed(self._server.url, method, {"message": "it is of openenv-core 0.1"})

    def step(self, action: Payload) -> Payload:
        """Carry out one action.

        Raises:
            StepLostError: The step may have run, and its result is lost.
            SessionLostError: Another client, or another start of the server, began an episode.
            ExchangeTimeoutError: There was no reply within the limit.
            EnvironmentFailedError: The server reported an error.
        """
        before = self.state()
        if before.get("episode_id") != self._episode:
            raise SessionLostError(
                f"The environment of the server at {self._server.url} is in another episode: all "
                "clients share it, and another client reset it, or the server was started again. "
                "Call reset(), and make sure that nobody else uses it.",
                url=self._server.url,
            )
        try:
            answer = self._request("POST", STEP_PATH, {"action": action}, self._timeout)
        except TimeoutError as error:
            raise self._late() from error
        except ConnectionRefusedError as error:
            raise self._gone(error) from error
        except OSError as error:
            grew = self._grew(before)
            raise step_lost(self._server.url, True if grew else None) from error
        return self._payload(answer, "step")

    def _grew(self, before: Payload) -> bool:
        """Return whether steps were counted since; if not, the lost step may still be running."""
        count = StepCount()
        count.begin(before)
        return count.executed(self.state()) is True

    def _ask(self, request: Callable[[float | None], Answer], what: str) -> Payload:
        """Return the answer to a request that may be repeated."""
        limit = _RETRY_LIMIT if self._timeout is None else self._timeout
        deadline, backoff = monotonic() + limit, Backoff(_LONGEST_PAUSE)
        while True:
            try:
                return self._payload(request(max(deadline - monotonic(), 0.01)), what)
            except TimeoutError as error:
                raise self._late() from error
            except OSError as error:
                if monotonic() + backoff.pause >= deadline:
                    raise self._gone(error) from error
            backoff.wait()

    def _request(self, method: str, path: str, body: Any, limit: float | None) -> Answer:
        return self._server.request(method, path, body, limit=limit)

    def _payload(self, answer: Answer, what: str) -> Payload:
        if answer.status >= 400:
            reply = answer.data if isinstance(answer.data, dict) else {}
            message = reply.get("detail") or answer.text[:200]
            raise failed(self._server.url, what, {"message": message, "code": answer.status})
        if not isinstance(answer.data, dict):
            raise ProtocolError(
                f"The server at {self._server.url} does not speak OpenEnv's protocol: it sent "
                f"{answer.text[:200]}.",
                url=self._server.url,
            )
        return answer.data

    def _late(self) -> ExchangeTimeoutError:
        return ExchangeTimeoutError(
            f"No reply within {self._timeout} s. The environment may still be running the request: "
            "reset() waits for it again; timeout= sets the limit.",
            timeout=self._timeout,
        )

    def _gone(self, error: OSError) -> SessionLostError:
        return SessionLostError(
            f"The server at {self._server.url} does not answer any more ({error}), and its "
            "episode is gone with it: make a new environment.",
            url=self._server.url,
        )

    def close(self) -> None:
        """Implements Conversation.close: the environment is left to the other clients."""
