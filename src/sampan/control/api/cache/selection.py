"""Which objects a list or a watch is about. Pure; it knows neither requests nor the store."""

import msgspec

from sampan.control.api.cache.stored_object import StoredObject
from sampan.kubernetes.machinery.selectors import FieldSelector, Selector


class Selection(msgspec.Struct, frozen=True):
    """A namespace ("" for all), a label selector and a field selector, all of which must match."""

    namespace: str = ""
    labels: Selector = Selector()
    fields: FieldSelector = FieldSelector()

    @property
    def is_everything(self) -> bool:
        """No selector narrows the namespace."""
        return not self.labels.requirements and not self.fields.requirements

    def matches(self, stored: StoredObject) -> bool:
        if self.namespace and not stored.key.startswith(self.namespace + "/"):
            return False
        if self.labels.requirements and not self.labels.matches(stored.labels):
            return False
        return not self.fields.requirements or self.fields.matches(stored.fields)
