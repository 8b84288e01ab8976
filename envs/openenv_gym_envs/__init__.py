"""The environments that come with openenv-gym, one package each.

A package's ``models`` need only the core; its ``environment`` needs the extra of the
same name (``pip install 'openenv-gym[chess]'``).
"""
