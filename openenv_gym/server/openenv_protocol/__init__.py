"""OpenEnv's own protocol: what its clients and tools find at our server.

A session is one of :class:`~openenv_gym.server.sessions.Sessions`, as with our own protocol: the
same limits, timeouts, threads and token. Its adapter
(:mod:`openenv_gym.server.openenv_protocol.adapter`) speaks in JSON of the environment's models, so
that a step happens in ``Session.handle`` and nowhere else.

What differs from openenv 0.10's own server, on purpose:

- ``/reset``, ``/step`` and ``/state`` over HTTP have a session for each client, by the cookie
  ``openenv_session`` or the header ``X-Session-ID``. There each request makes an environment.
- An action outside of the action space is refused before the environment sees it. A step before
  the first reset or after the end of an episode is an error, unless the environment takes such.
- A reset option that the environment does not know is an error (VALIDATION_ERROR, 422), not
  dropped; and so is an unknown key beside ``action`` in a step over HTTP. ``timeout_s`` and
  ``request_id`` are taken and mean nothing, as there to environments that do not ask for them.
- ``seed`` is a whole number from 0 on over WebSocket too.
- ``state.episode_id`` is the one that was asked for, else one that the environment or the server
  makes, and ``state.step_count`` counts steps since the reset, whatever the environment counts.
- A second WebSocket takes an attached session over, and the first is notified. There it is refused,
  also where the first one's connection broke without a sign.
- A truncated episode is done, with ``"TimeLimit.truncated": true`` in its metadata.
- Clients of MCP itself are answered at ``/mcp`` too: ``initialize`` begins a session. Where the
  environment has no tools of its own, ``reset`` and ``step`` are tools.
- Infinity and NaN become null, as there; numpy arrays and numbers are written as what they hold.
- What the environment's exceptions say stays in the log, unless the server runs with ``--debug``.
"""
