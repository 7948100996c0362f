import { spawn, type ChildProcess } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { inject } from 'vitest';
import { layOut } from '../../infra/dev/lib/data-folder.mjs';
import { poll } from '../../infra/dev/lib/delay.mjs';
import { readRecord } from '../../infra/dev/lib/launch-record.mjs';
import { findOrphans } from '../../infra/dev/lib/orphans.mjs';
import { isAlive } from '../../infra/dev/lib/process-identity.mjs';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';
import { endWithUs } from './leash.js';

export interface LauncherOptions {
  readonly dataFolder: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Through npm, in a process group of its own, as a shell would. */
  readonly throughNpm?: boolean;
  /** Another launcher than the repository's; default `infra/dev/start.mjs`. */
  readonly script?: string;
  readonly uid?: number;
}

export interface TestLauncher {
  readonly pid: number;
  /** Both streams, so far. */
  output(): string;
  /** Waits until the output matches; rejects, with the output, when it does not or the process ends. */
  waitFor(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Resolves with the exit code; `null` when a signal ended it. */
  readonly exited: Promise<number | null>;
  signal(name: NodeJS.Signals): void;
  signalGroup(name: NodeJS.Signals): void;
}

const OUTPUT_DEADLINE_MS = 100_000;
const LISTENING = /Pawl runs at (http:\/\/\S+?),/;

/** `npm start` on free ports, without the user's own settings. */
export function spawnLauncher(options: LauncherOptions): TestLauncher {
  const { args = [], throughNpm = false, script, uid } = options;
  const file = script ?? join(REPOSITORY, 'infra', 'dev', 'start.mjs');
  const command = throughNpm ? ['npm', 'start', '--', ...args] : [process.execPath, file, ...args];
  const [program = '', ...rest] = command;
  const child = spawn(program, rest, {
    cwd: script === undefined ? REPOSITORY : '/',
    env: environment(options),
    detached: throughNpm,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  endWithUs(child.pid ?? 0);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  }
  return {
    pid: child.pid ?? 0,
    output: () => text,
    waitFor: (pattern) => waitFor(child, () => text, pattern),
    exited: new Promise((resolve) => child.once('close', (code) => resolve(code))),
    signal: (name) => child.kill(name),
    signalGroup: (name) => process.kill(-(child.pid ?? 0), name),
  };
}

function environment({ dataFolder, env }: LauncherOptions): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(PAWL_|npm_|NO_COLOR)/i.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    PATH: `${process.env['PATH'] ?? ''}${delimiter}${dirname(inject('natsServer'))}`,
    PAWL_DATA_DIR: dataFolder,
    PAWL_HTTP_PORT: '0',
    PAWL_PEER_PORT: '0',
    PAWL_ETCD_PORT: '0',
    PAWL_POSTGRES_PORT: '0',
    PAWL_NATS_PORT: '0',
    ...env,
  };
}

async function waitFor(
  child: ChildProcess,
  output: () => string,
  pattern: RegExp,
): Promise<RegExpMatchArray> {
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const found = await poll(() => pattern.exec(output()) ?? (ended() ? 'ended' : undefined), {
    deadlineMs: OUTPUT_DEADLINE_MS,
  });
  if (found !== undefined && found !== 'ended') return found;
  const last = pattern.exec(output());
  if (last !== null) return last;
  throw new Error(`the output does not match ${pattern}:\n${output()}`);
}

/** Base URL of REST, once the launcher says that everything runs. */
export async function urlOf(launcher: TestLauncher): Promise<string> {
  const [, url = ''] = await launcher.waitFor(LISTENING);
  return url;
}

/** What lives on the data folder, the launcher not counted. */
export async function processesOn(dataFolder: string): Promise<readonly string[]> {
  const processes = await findOrphans(layOut(dataFolder));
  return processes
    .filter(isAlive)
    .map(({ name }) => name)
    .sort();
}

/** The launcher's own process, which with npm is not the one that was spawned. */
export async function launcherPid(dataFolder: string): Promise<number> {
  return (await readRecord(layOut(dataFolder).record))?.launcher.pid ?? 0;
}

/** Pid of one of its children. */
export async function childPid(dataFolder: string, name: string): Promise<number> {
  const record = await readRecord(layOut(dataFolder).record);
  return record?.children.find((child) => child.name === name)?.pid ?? 0;
}
