"""An instance whose folders lie below one of the test's."""

from pathlib import Path

from sampan.foundation.settings import Instance


class LocalInstance(Instance, frozen=True, kw_only=True):
    folder: Path

    @property
    def state_folder(self) -> Path:
        return self.folder / "state"

    @property
    def configuration_folder(self) -> Path:
        return self.folder / "configuration"
