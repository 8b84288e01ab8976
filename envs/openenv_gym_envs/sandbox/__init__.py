"""A sandbox: a program of ours in a process that sees nothing of this host.

Around the process is :mod:`bubblewrap <openenv_gym_envs.sandbox.boundary>`, or Landlock where the
kernel refuses namespaces, as in a hardened container, which is a boundary of its own.

What runs in there is the folder ``inside``. It imports the standard library and itself, nothing
else: a sandbox holds no other package of ours.
"""
