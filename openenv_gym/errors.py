"""Errors: one root, so that ``except OpenEnvGymError`` catches all that is ours.

::

    OpenEnvGymError
    ├── SpaceError               a Space that cannot be derived, described or held to
    ├── OptionError              an option that is unknown or has a wrong value; a ValueError
    │   ├── UnknownOptionError   an option that is unknown; a TypeError, as Python's own
    │   └── NoSuchAttributeError what an environment does not export; an AttributeError
    ├── ActionError              an action outside of the action space; a ValueError
    ├── EpisodeError             a call out of turn, such as a step after the episode's end
    │   ├── NotResetError        before the first reset; gymnasium's ResetNeeded
    │   ├── ClosedError          after close; gymnasium's ClosedEnvironmentError
    │   └── ReplayError          a replay was asked for what its recording does not have
    ├── CopyError                an environment that cannot be copied
    ├── SnapshotError            an environment that cannot be saved, or not from such a snapshot
    ├── RecordingError           a file that is not a recording, or cannot be written
    ├── RegistryError            no environment or transport of that name
    ├── MissingDependencyError   a package that is needed is not installed
    ├── EnvironmentFailedError   the environment's own code raised
    ├── CodecError               a value that no wire carries, or bytes that are not a message
    └── TransportError
        ├── ConnectError         nothing that we can talk to answers there
        ├── StartError           what a transport started died, or was not ready in time
        ├── AuthenticationError  the token is wrong, or missing
        ├── ServerFullError      all sessions of the server are taken
        ├── ExchangeTimeoutError no reply within the limit
        │   └── StepTimeoutError  a step took longer than it may
        ├── SessionLostError     the server no longer has the session
        │   └── ServerClosingError  the server is ending, and its sessions with it
        ├── StepLostError        a step was sent, and its observation is lost
        ├── ProtocolError        the other end does not speak our protocol
        ├── IsolationError       less is between us and the environment than is required
        └── DockerError
            ├── EngineMissingError
            ├── ImageMissingError
            └── BuildError

Each message says what was asked, what is wrong and what to do next. The facts behind it
are in :attr:`OpenEnvGymError.fields`. Errors pickle with their fields and their cause, since
vector environments pass them between processes.
"""

from __future__ import annotations

import difflib
import pickle
import re
import sys
from collections.abc import Iterable
from typing import Any

from gymnasium.error import ClosedEnvironmentError, ResetNeeded

_LONGEST_NOTE = 20_000  # characters of a traceback that are shown


class OpenEnvGymError(Exception):
    """Root of all errors of openenv-gym.

    Args:
        message: What was asked, what is wrong, what to do next.
        **fields: The facts behind the message (urls, names, limits), for programs.

    Attributes:
        fields: The facts behind the message, by name.
    """

    # By position only: a field may have any name.
    def __init__(self, message: str, /, **fields: Any) -> None:
        super().__init__(message)
        self.fields: dict[str, Any] = fields

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {name: _portable(value) for name, value in self.fields.items()}
        return (_restore, (type(self), str(self), fields, _portable(self.__cause__)))


def _restore(
    kind: type[OpenEnvGymError],
    message: str,
    fields: dict[str, Any],
    cause: BaseException | None,
) -> OpenEnvGymError:
    error = kind(message, **fields)
    error.__cause__ = cause
    return show_traceback(error)


def show_traceback(error: OpenEnvGymError) -> OpenEnvGymError:
    """Let the environment's own traceback stand under the error, where it has no cause here.

    Its owner is sent it in the field ``traceback``.
    """
    text = error.fields.get("traceback")
    if isinstance(text, str) and error.__cause__ is None:
        text = printable(text)[:_LONGEST_NOTE].rstrip()
        error.add_note(f"The environment's own traceback:\n{text}")
    return error


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return a text from elsewhere with codes for control characters: a terminal obeys them."""
    return _CONTROL.sub(lambda one: ascii(one[0])[1:-1], text)


def _portable(value: Any) -> Any:
    """The value, or what it says where it is of a kind that does not pickle."""
    try:
        pickle.loads(pickle.dumps(value))
    except Exception:  # any object at all may be in it
        if isinstance(value, BaseException):
            return RuntimeError(f"{type(value).__name__}: {value}")
        return repr(value)
    return value


class SpaceError(OpenEnvGymError):
    """A Space cannot be derived or described, or a value does not fit the one it is for.

    To do: write the Space that the message names into the model, by ``Annotated``, or give it by
    ``spaces=``.
    """


class OptionError(OpenEnvGymError, ValueError):
    """An option is unknown, or its value is not allowed.

    To do: take a value that the message allows; ``openenv-gym info NAME`` lists options and types.
    """


class UnknownOptionError(OptionError, TypeError):
    """An option is unknown; its message has Python's own phrase, which programs look for.

    To do: correct the name; the message has the nearest one that is known.
    """

    def __init__(self, message: str, /, **fields: Any) -> None:
        # gymnasium before 1.4 raises a TypeError of make() again as a new one of its kind, with
        # more text: that keeps the facts of the first.
        raised = sys.exc_info()[1]
        if not fields and isinstance(raised, UnknownOptionError):
            fields = raised.fields
        super().__init__(message, **fields)


class NoSuchAttributeError(OptionError, AttributeError):
    """The environment has no such attribute or method, or does not export it.

    To do: name what the environment exports, or make it in process to reach all of it.
    """


class ActionError(OpenEnvGymError, ValueError):
    """The action is not in the action space; the environment was not stepped.

    To do: take an action of ``env.action_space``, with the mask where there is one.
    """


class EpisodeError(OpenEnvGymError):
    """A call came out of turn: a step before reset, after the episode's end, after close.

    To do: call ``reset()`` first.
    """


class NotResetError(EpisodeError, ResetNeeded):
    """There was no reset yet.

    To do: call ``reset()`` before the first step.
    """


class ClosedError(EpisodeError, ClosedEnvironmentError):
    """The environment was closed.

    To do: make a new environment.
    """


class CopyError(OpenEnvGymError, TypeError):
    """The environment cannot be copied.

    To do: make another environment, and give ``env.unwrapped.snapshot()`` to its ``restore()``.
    """


class SnapshotError(OpenEnvGymError, ValueError):
    """The environment cannot be saved, or what was given is not a snapshot of such a one.

    To do: use a snapshot of the same environment with the same options, or none.
    """


class RecordingError(OpenEnvGymError):
    """A file is not a recording, or cannot be written."""


class ReplayError(EpisodeError):
    """A replay was asked for what its recording does not have; the episode ends there."""


class RegistryError(OpenEnvGymError):
    """There is no environment or transport of that name.

    To do: correct the name (``openenv-gym list --all``), or install or import what registers it.
    """


class MissingDependencyError(OpenEnvGymError):
    """A package that this environment or transport needs is not installed.

    To do: run the ``pip install`` of the message.
    """


class EnvironmentFailedError(OpenEnvGymError):
    """The environment's own code raised.

    In process the original exception is the cause. Over a wire ``fields["traceback"]`` holds
    its text, where the server gives it away.

    To do: read the traceback under the error, and mend the environment; ``reset()`` begins again.
    """


class CodecError(OpenEnvGymError):
    """A value cannot travel, or bytes that arrived are not a message of ours.

    To do: change the value at the place that the message names; ``info="drop"`` leaves such out.
    """


class TransportError(OpenEnvGymError):
    """Something between the two ends failed."""


class ConnectError(TransportError):
    """Nothing answers at the address, or nothing that we can talk to.

    To do: check the address, and whether the server runs: ``GET /health``.
    """


class StartError(TransportError):
    """A process or container that was started died, or was not ready in time.

    To do: read its last output in the message; ``start_timeout`` gives a slow start more time.
    """


class AuthenticationError(TransportError):
    """The token is wrong, or missing.

    To do: give the server's token as ``token=``, or in ``OPENENV_GYM_TOKEN``.
    """


class ServerFullError(TransportError):
    """All sessions of the server are taken.

    To do: wait, close environments, or start the server with a larger ``--max-sessions``.
    """


class ExchangeTimeoutError(TransportError):
    """No reply came within the limit; whether the request was carried out is not known.

    To do: ``reset()`` waits for it again, ``close()`` ends it; ``timeout=`` sets the limit.
    """


class StepTimeoutError(ExchangeTimeoutError):
    """A step took longer than its limit; what carried it out was ended, where that was possible.

    To do: ``reset()`` goes on with a fresh environment; find out why the step is slow, or allow
    more.
    """


class SessionLostError(TransportError):
    """The session is gone at the other end, and the episode with it.

    To do: ``reset()`` or make a new environment, as the message says; the episode is lost.
    """


class ServerClosingError(SessionLostError):
    """The server is ending: it takes no new sessions, and those that it has end with it.

    To do: use another server, or wait until it is back and make the environment again.
    """


class StepLostError(TransportError):
    """A step was sent to a server of OpenEnv's own make, and its observation is lost.

    The session is still there: ``reset()`` goes on with it. ``fields["executed"]`` says whether
    the step was carried out: True, or None where that cannot be known. One that was not carried
    out is sent again instead.
    """


class ProtocolError(TransportError):
    """The other end does not speak our protocol, or broke it.

    To do: use the same version of openenv-gym at both ends, and check what the address leads to.
    """


class IsolationError(TransportError):
    """Less is between this program and the environment than ``require_isolation=`` asks for.

    To do: use a transport that gives what is missing, or require less.
    """


class DockerError(TransportError):
    """The Docker engine refused or failed.

    To do: read the engine's own words in the message; ``openenv-gym doctor`` looks at the engine.
    """


class EngineMissingError(DockerError):
    """No Docker engine answers.

    To do: start the engine, or name it by ``DOCKER_HOST``.
    """


class ImageMissingError(DockerError):
    """There is no such image, and it could not be made.

    To do: build it (``openenv-gym build NAME``), or correct the name of the image.
    """


class BuildError(DockerError):
    """Building the image failed.

    To do: read the end of the build's log in the message; ``--base-image`` and ``--wheelhouse``
    help without a network.
    """


def from_name(kind: str, message: str, fields: dict[str, Any]) -> OpenEnvGymError:
    """The error that another process described.

    Args:
        kind: Name of one of the classes of this module; :class:`TransportError` stands in
            for a name that this version does not know.
        message: Its message.
        fields: Its fields.
    """
    found = globals().get(kind)
    if not (isinstance(found, type) and issubclass(found, OpenEnvGymError)):
        found = TransportError
    return found(message, **fields)


def missing_package(
    what: str, package: str, extra: str | None, **fields: Any
) -> MissingDependencyError:
    """The error to raise where a package is not installed.

    Args:
        what: What needs it: ``"Rendering Chess as rgb_array"``.
        package: The package.
        extra: The extra of openenv-gym that brings it, if one does.
        **fields: Further facts.
    """
    install = f'pip install "openenv-gym[{extra}]"' if extra else "install it"
    return MissingDependencyError(
        f"{what} needs the package {package}, which is not installed here: {install}.",
        package=package,
        extra=extra,
        **fields,
    )


_LONGEST_SHOWN = 200


def shown(value: object) -> str:
    """Return a value as an error shows it, however large it is, and whatever its repr does."""
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def shown_url(url: str) -> str:
    """Return an address as an error shows it: without what may be a user's name and password."""
    plain = re.sub(r"(^|//)[^/]*@", r"\1...@", url)
    return shown(re.sub(r"[?#].*", "?...", plain, flags=re.DOTALL))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What a message on an unknown name goes on with: the known name nearest to it, if one is near.

    Args:
        name: The unknown name.
        known: Those that there are.

    Returns:
        A sentence that begins with a space, or nothing.
    """
    near = difflib.get_close_matches(name, [*known], n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


class OpenEnvServerWarning(UserWarning):
    """What a server of OpenEnv's own make cannot do for its client, said on connecting."""


class DefaultSpacesWarning(OpenEnvServerWarning):
    """Spaces that the environment's models do not bound are defaults, or became wider."""
