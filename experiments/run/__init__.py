"""A job from its definition to its receipt: command line, runner, notebook, replay, publication."""
