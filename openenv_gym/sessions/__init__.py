"""Sessions: the one place where an environment is made, reset and stepped. No I/O."""
