// dockerode against the engine at DOCKER_HOST; names each part that held.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { PassThrough } from 'node:stream';

const require = createRequire(`${process.env.CLIENT_MODULES}/`);
const Docker = require('dockerode');
const docker = new Docker({ socketPath: process.env.DOCKER_HOST.replace('unix://', '') });
const IMAGE = 'machine';

const held = (part) => console.log(part);
const text = async (stream) => Buffer.concat(await stream.toArray()).toString();
const collected = () => {
  const pieces = [];
  const sink = new PassThrough();
  sink.on('data', (piece) => pieces.push(piece));
  return [sink, () => Buffer.concat(pieces).toString()];
};

async function runs() {
  const [out, said] = collected();
  const [err, complained] = collected();
  const [result, container] = await docker.run(
    IMAGE, ['sh', '-c', 'echo out; echo err >&2; exit 3'], [out, err], { Tty: false });
  assert.equal(result.StatusCode, 3);
  assert.deepEqual([said(), complained()], ['out\n', 'err\n']);
  await container.remove();
  await assert.rejects(container.inspect(), { statusCode: 404 });
  held('ran');
}

async function lives() {
  const container = await docker.createContainer({
    Image: IMAGE, name: 'lasting', OpenStdin: true, StdinOnce: true,
    Cmd: ['sh', '-c', 'while read -r line; do echo "got $line"; done; exec sleep 100'],
  });
  const talk = await container.attach({
    stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const [out, said] = collected();
  container.modem.demuxStream(talk, out, out);
  await container.start();
  talk.write('one\ntwo\n');
  while (said() !== 'got one\ngot two\n') await new Promise((done) => setTimeout(done, 20));
  talk.end();
  const logs = await container.logs({ stdout: true, stderr: true });
  assert.ok(logs.includes('got two'));
  const exec = await container.exec({ Cmd: ['sh', '-c', 'echo inside'], AttachStdout: true });
  const [inner, inside] = collected();
  const stream = await exec.start({ hijack: true });
  container.modem.demuxStream(stream, inner, inner);
  await new Promise((done) => stream.on('end', done));
  assert.equal(inside(), 'inside\n');
  assert.equal((await exec.inspect()).ExitCode, 0);
  const stats = await container.stats({ stream: false });
  assert.ok(stats.pids_stats.current >= 1);
  await container.kill();
  await container.wait();
  await container.remove();
  held('lived');
}

async function tellsEvents() {
  const since = Math.floor(Date.now() / 1000) - 100;
  const events = await docker.getEvents({
    since, until: Math.ceil(Date.now() / 1000), filters: { container: ['lasting'] } });
  const actions = (await text(events)).trim().split('\n').map((line) => JSON.parse(line).Action);
  for (const action of ['create', 'start', 'die', 'destroy']) assert.ok(actions.includes(action));
  held('told');
}

async function builds() {
  const tar = require('tar-stream').pack();
  tar.entry({ name: 'Dockerfile' }, `FROM ${IMAGE}\nLABEL made=here\nRUN echo built > /built\n`);
  tar.finalize();
  const stream = await docker.buildImage(tar, { t: 'ours:1' });
  const steps = await new Promise((done, failed) =>
    docker.modem.followProgress(stream, (error, lines) => (error ? failed(error) : done(lines))));
  assert.ok(steps.some((step) => step.stream?.includes('Successfully tagged ours:1')));
  const image = docker.getImage('ours:1');
  assert.equal((await image.inspect()).Config.Labels.made, 'here');
  await image.remove();
  held('built');
}

async function connects() {
  const network = await docker.createNetwork({ Name: 'street' });
  const volume = await docker.createVolume({ Name: 'cellar' });
  const server = await docker.createContainer({
    Image: IMAGE, name: 'house', Cmd: ['sleep', '100'],
    HostConfig: { NetworkMode: 'street', Binds: ['cellar:/cellar'] } });
  await server.start();
  const seen = await network.inspect();
  assert.equal(Object.values(seen.Containers)[0].Name, 'house');
  assert.equal((await server.inspect()).Mounts[0].Name, 'cellar');
  await server.remove({ force: true });
  await network.remove();
  await volume.remove();
  held('connected');
}

await runs();
await lives();
await tellsEvents();
await builds();
await connects();
