"""Where docker's own configuration of this user is, which is ours, too."""

import os
from pathlib import Path


def user_file() -> Path:
    """It may not be there."""
    folder = os.environ.get("DOCKER_CONFIG")
    return Path(folder or Path.home() / ".docker") / "config.json"
