import { fork, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNats } from '../../../infra/dev/lib/nats-binary.mjs';
import { startNats } from '../../../infra/dev/lib/nats.mjs';
import { startPostgres } from '../../../infra/dev/lib/postgres.mjs';
import { createTerminal } from '../../../infra/dev/lib/terminal.mjs';

const CONTROL_PLANE = fileURLToPath(
  new URL('../../../apps/control-plane/dist/bundle/main.js', import.meta.url),
);
const READY_MS = 60_000;
/** Where the tests have theirs. */
const TOOLS = fileURLToPath(new URL('../../../.pawl-test/tools', import.meta.url));

/**
 * PostgreSQL, NATS and a control plane of their own, in a folder that goes when they stop.
 *
 * @param {{ natsThrough?: (url: string) => Promise<string> }} [options] `natsThrough`: what the control
 *   plane takes for the URL of NATS
 */
export async function startStack({ natsThrough = async (url) => url } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'pawl-bench-'));
  const closers = [() => rm(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const close of closers.reverse()) await close();
  };
  try {
    const postgres = await startPostgres({
      folder: join(folder, 'postgres'),
      logFile: join(folder, 'postgres.log'),
      port: 0,
    });
    closers.push(() => postgres.service.stop());
    const nats = await startNats({
      program: await findNats({ toolsFolder: TOOLS, terminal: createTerminal() }),
      folder: join(folder, 'nats'),
      logFile: join(folder, 'nats.log'),
      port: 0,
    });
    closers.push(() => nats.service.stop());
    const { url, stop: stopNode } = await startNode({
      PAWL_DATA_DIR: join(folder, 'data'),
      PAWL_POSTGRES_URL: postgres.url,
      PAWL_NATS_URL: await natsThrough(nats.url),
      PAWL_PEER_PORT: '0',
    });
    closers.push(stopNode);
    return {
      url,
      folder,
      port: Number(new URL(url).port),
      postgresUrl: postgres.url,
      natsUrl: nats.url,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * A control plane with these settings, once it is ready.
 *
 * @param {Record<string, string>} settings with `PAWL_DATA_DIR`
 */
export async function startNode(settings) {
  const server = spawn(process.execPath, [CONTROL_PLANE], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      PAWL_HTTP_PORT: '0',
      PAWL_ETCD_PORT: '0',
      PAWL_LOG_LEVEL: 'error',
      ...settings,
    },
  });
  try {
    const url = await ready(settings.PAWL_DATA_DIR, server);
    return { url, stop: () => stopChild(server), kill: () => stopChild(server, 'SIGKILL') };
  } catch (error) {
    await stopChild(server);
    throw error;
  }
}

/** A helper process that speaks over `process.send`. */
export function startChild(name, args) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
  const child = fork(path, args, { serialization: 'advanced' });
  const waiting = [];
  const arrived = [];
  child.on('message', (message) => {
    const next = waiting.shift();
    if (next === undefined) arrived.push(message);
    else next.resolve(message);
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.splice(0)) reject(new Error(`${name} ended with ${code}`));
  });
  return {
    send: (message) => child.send(message),
    receive: () =>
      arrived.length > 0
        ? Promise.resolve(arrived.shift())
        : new Promise((resolve, reject) => waiting.push({ resolve, reject })),
    stop: () => stopChild(child),
  };
}

async function stopChild(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(force);
}

async function ready(dataDir, server) {
  const untilMs = Date.now() + READY_MS;
  while (Date.now() < untilMs) {
    if (server.exitCode !== null)
      throw new Error(`the control plane ended with ${server.exitCode}`);
    try {
      const { http, processes } = JSON.parse(
        await readFile(join(dataDir, 'endpoints.json'), 'utf8'),
      );
      if (processes.controlPlane === server.pid && (await fetch(`${http}/readyz`)).ok) {
        return http;
      }
    } catch {
      // not there yet
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the control plane did not get ready');
}

/** A request that must succeed; answers the parsed body. */
export async function call(url, method, path, body, headers = {}) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok)
    throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

export const promote = (url, address) =>
  call(url, 'POST', `/v1/release/${address}`, { action: 'promote' });
