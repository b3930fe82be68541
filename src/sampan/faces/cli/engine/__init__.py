"""Commands on containers, images, networks and volumes: clients of the Docker API."""
