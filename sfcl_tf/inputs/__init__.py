"""From records to a model's inputs."""
