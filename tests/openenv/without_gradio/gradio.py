"""Stands before gradio on a peer's path, as if that were not installed.

OpenEnv does without, which is for its web page alone; to load it takes two thirds of the time in
which OpenEnv's package is imported.
"""

raise ModuleNotFoundError("gradio is not for these tests", name="gradio")
