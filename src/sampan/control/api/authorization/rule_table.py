"""The rules of one role, filed by the resource that they name, so that few are looked at. Pure."""

from collections.abc import Iterable, Iterator

from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.rules import ALL, PolicyRule


class RuleTable:
    def __init__(self, rules: Iterable[PolicyRule]) -> None:
        self.rules = tuple(rules)
        self._by_resource: dict[str, list[PolicyRule]] = {}
        self._of_paths: list[PolicyRule] = []
        for rule in self.rules:
            for resource in dict.fromkeys(rule.resources):
                self._by_resource.setdefault(resource, []).append(rule)
            if rule.non_resource_urls:
                self._of_paths.append(rule)

    def allows(self, attributes: Attributes) -> bool:
        return any(rule.allows(attributes) for rule in self._candidates(attributes))

    def _candidates(self, attributes: Attributes) -> Iterator[PolicyRule]:
        if not attributes.is_resource:
            yield from self._of_paths
            return
        filed = self._by_resource
        yield from filed.get(attributes.full_resource, ())
        yield from filed.get(ALL, ())
        if attributes.subresource:
            yield from filed.get(f"{ALL}/{attributes.subresource}", ())
