"""The library `lightkube`: typed models, apply, custom resources, waits, watches, logs."""

from lightkube import ApiError, Client, codecs
from lightkube.generic_resource import load_in_cluster_generic_resources
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod
from lightkube.types import CascadeType, PatchType

NAMESPACE = "with-lightkube"
MANIFESTS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.lightkube.example.com}
spec:
  group: lightkube.example.com
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat, listKind: BoatList}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {sails: {type: integer, default: 1}}}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: "hello:1"}]
"""


def refusal_of(client, body):
    """The reason why an object may not be written."""
    try:
        client.replace(body)
    except ApiError as refusal:
        return refusal.status.reason
    return None


def objects(client):
    made = client.create(ConfigMap(metadata=ObjectMeta(name="first"), data={"a": "1"}))
    patched = client.patch(ConfigMap, "first", {"data": {"a": "2"}}, patch_type=PatchType.MERGE)
    assert patched.data == {"a": "2"}
    assert refusal_of(client, made) == "Conflict"
    assert [it.metadata.name for it in client.list(ConfigMap, fields={"metadata.name": "first"})]


def applied(client):
    (deployment,) = codecs.load_all_yaml(DEPLOYMENT)
    client.apply(deployment, force=True)
    client.wait(Deployment, "web", for_conditions=["Available"])
    scaled = client.get(Deployment.Scale, "web")
    assert scaled.spec.replicas == 1
    client.delete(Deployment, "web", cascade=CascadeType.FOREGROUND)


def custom(client):
    (definition,) = codecs.load_all_yaml(MANIFESTS)
    client.create(definition)
    client.wait(type(definition), definition.metadata.name, for_conditions=["Established"])
    load_in_cluster_generic_resources(client)
    (boat,) = codecs.load_all_yaml(
        "{apiVersion: lightkube.example.com/v1, kind: Boat, metadata: {name: junk}, spec: {}}"
    )
    assert client.create(boat).spec == {"sails": 1}
    client.delete(type(definition), definition.metadata.name)


def watched(client):
    container = Container(name="main", image="hello:1", command=["sh", "-c", "echo said"])
    spec = PodSpec(containers=[container], restartPolicy="Never")
    client.create(Pod(metadata=ObjectMeta(name="short"), spec=spec))
    for _, pod in client.watch(Pod, fields={"metadata.name": "short"}, server_timeout=30):
        if pod.status.phase == "Succeeded":
            break
    assert list(client.log("short")) == ["said\n"]


def main():
    client = Client(namespace=NAMESPACE, field_manager="program")
    client.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))
    for part in (objects, applied, custom, watched):
        part(client)
        print(part.__name__, flush=True)
    client.delete(Namespace, NAMESPACE)


if __name__ == "__main__":
    main()
