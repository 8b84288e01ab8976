"""Images of the Docker transport: their content, build, and registries."""
