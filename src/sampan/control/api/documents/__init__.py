"""What the API tells about itself and its tokens: discovery, OpenAPI, health, issuer."""
