// The npm package @kubernetes/client-node: objects, an informer, a watch, exec, patches, a Scale.

import assert from "node:assert/strict";
import { Writable } from "node:stream";
import {
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  PatchStrategy,
  makeInformer,
  setHeaderOptions,
} from "@kubernetes/client-node";

const namespace = "with-client-node";
const config = new KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(CoreV1Api);

function within(promise, what) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`not in time: ${what}`)), 30_000).unref();
  });
  return Promise.race([promise, late]);
}

class Collected extends Writable {
  text = "";
  _write(piece, _, done) {
    this.text += piece;
    done();
  }
}

async function objects() {
  const body = { metadata: { name: "first" }, data: { a: "1" } };
  const made = await core.createNamespacedConfigMap({ namespace, body });
  const patch = [{ op: "replace", path: "/data/a", value: "2" }];
  const patched = await core.patchNamespacedConfigMap({ name: "first", namespace, body: patch });
  assert.deepEqual(patched.data, { a: "2" });
  const merged = await core.patchNamespacedConfigMap(
    { name: "first", namespace, body: { data: { b: "3" } } },
    setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
  );
  assert.deepEqual(merged.data, { a: "2", b: "3" });
  const stale = core.replaceNamespacedConfigMap({ name: "first", namespace, body: made });
  await assert.rejects(stale, (refusal) => refusal.code === 409);
  const none = core.readNamespacedConfigMap({ name: "none", namespace });
  await assert.rejects(none, (refusal) => refusal.code === 404);
}

async function informed() {
  const seen = [];
  const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: "informed" });
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const informer = makeInformer(config, path, list, "informed");
  const deleted = new Promise((resolve) => {
    for (const kind of ["add", "update", "delete"]) {
      informer.on(kind, (it) => {
        seen.push(`${kind} ${it.metadata.name}`);
        if (kind === "delete") resolve();
      });
    }
  });
  const connected = new Promise((resolve) => informer.on("connect", resolve));
  await informer.start();
  await within(connected, "the informer's watch");
  const body = { metadata: { name: "told", labels: { informed: "yes" } } };
  await core.createNamespacedConfigMap({ namespace, body });
  const patch = [{ op: "add", path: "/data", value: { a: "b" } }];
  await core.patchNamespacedConfigMap({ name: "told", namespace, body: patch });
  await core.deleteNamespacedConfigMap({ name: "told", namespace });
  await within(deleted, "the event of a deletion");
  await informer.stop();
  assert.deepEqual(seen, ["add told", "update told", "delete told"]);
}

async function applied() {
  const anything = KubernetesObjectApi.makeApiClient(config);
  const labels = { app: "web" };
  const manifest = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: "main", image: "hello:1" }],
        },
      },
    },
  };
  const made = await anything.patch(
    manifest,
    undefined,
    undefined,
    "program",
    true,
    PatchStrategy.ServerSideApply,
  );
  assert.deepEqual(
    made.metadata.managedFields.map((it) => `${it.manager} ${it.operation}`),
    ["program Apply"],
  );
  const apps = config.makeApiClient(AppsV1Api);
  const scaled = await apps.patchNamespacedDeploymentScale({
    name: "web",
    namespace,
    body: [{ op: "replace", path: "/spec/replicas", value: 0 }],
  });
  assert.equal(scaled.spec.replicas, 0);
  await apps.deleteNamespacedDeployment({ name: "web", namespace });
}

async function executed() {
  const spec = {
    terminationGracePeriodSeconds: 0,
    containers: [
      { name: "main", image: "hello:1", command: ["sh", "-c", "echo started; exec sleep 600"] },
    ],
  };
  const fieldSelector = "metadata.name=long";
  const list = () => core.listNamespacedPod({ namespace, fieldSelector });
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const informer = makeInformer(config, path, list, undefined, fieldSelector);
  const running = new Promise((resolve) => {
    informer.on("update", (pod) => pod.status.phase === "Running" && resolve());
  });
  await informer.start();
  await core.createNamespacedPod({ namespace, body: { metadata: { name: "long" }, spec } });
  await within(running, "a running pod");
  await informer.stop();
  const [output, complaints, logged] = [new Collected(), new Collected(), new Collected()];
  const command = ["sh", "-c", "echo out; echo err >&2; exit 3"];
  const ended = new Promise((resolve, reject) => {
    new Exec(config)
      .exec(namespace, "long", "main", command, output, complaints, null, false, resolve)
      .catch(reject);
  });
  const status = await within(ended, "the end of a command");
  assert.equal(status.status, "Failure");
  assert.equal(status.details.causes[0].message, "3");
  assert.equal(output.text, "out\n");
  assert.equal(complaints.text, "err\n");
  await new Log(config).log(namespace, "long", "main", logged, { follow: false });
  await within(new Promise((resolve) => logged.on("finish", resolve)), "the log");
  assert.equal(logged.text, "started\n");
}

async function custom() {
  const boats = {
    group: "apiextensions.k8s.io",
    version: "v1",
    plural: "customresourcedefinitions",
  };
  const found = await config.makeApiClient(CustomObjectsApi).listClusterCustomObject(boats);
  assert.equal(found.kind, "CustomResourceDefinitionList");
}

await core.createNamespace({ body: { metadata: { name: namespace } } });
for (const part of [objects, informed, applied, executed, custom]) {
  await part();
  console.log(part.name);
}
await core.deleteNamespace({ name: namespace });
