import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, ownIdentity } from '@pawl/contracts/node';
import type { ProcessIdentity, WrittenIdentity } from '@pawl/contracts/node';
import { replaceFile } from './replace-file.js';

/** `<data>/endpoints.json`: the addresses in use and who serves them. No secrets. */
export interface Endpoints {
  /** `<name>/<id>` of what a control plane serves: another node may listen there once it is gone. */
  readonly installation?: string;
  /** Base URL of REST; a control plane that is starting has none yet. */
  readonly http?: string;
  readonly postgres?: string;
  readonly nats?: string;
  /** Where the other members of the quorum find this one: `host:port`. */
  readonly peer?: string;
  /** Base URL of the coordination API. */
  readonly etcd?: string;
  /** Base URL of `/health` and `/metrics` of a quorum member that is no control plane. */
  readonly health?: string;
  /** Process ids by part: `controlPlane` or `quorum` at least. */
  readonly processes: Readonly<Record<string, number>>;
  /** Tells the process that wrote this from a later one under its id; earlier builds wrote none. */
  readonly processStart?: Omit<ProcessIdentity, 'pid'>;
}

/** What a node says there of its own process. */
export function ownProcess(
  part: 'controlPlane' | 'quorum',
): Pick<Endpoints, 'processes' | 'processStart'> {
  const { pid, ...processStart } = ownIdentity();
  return { processes: { [part]: pid }, processStart };
}

/** The process that wrote this: a node, or a quorum member that is no control plane. */
export function writerOf({ processes, processStart }: Endpoints): WrittenIdentity | undefined {
  const pid = processes['controlPlane'] ?? processes['quorum'];
  return pid === undefined ? undefined : { ...processStart, pid };
}

const NAME = 'endpoints.json';
/** Of nodes beside the one whose data folder it is in, each with a data folder of its own. */
const NODES = 'nodes';

/** Replaces the file whole. */
export async function writeEndpoints(dataDir: string, endpoints: Endpoints): Promise<void> {
  await makeFolder(dataDir);
  await replaceFile(join(dataDir, NAME), `${JSON.stringify(endpoints, null, 2)}\n`);
}

/** What the file says; `undefined` when it is not there or not readable as such. */
export async function readEndpoints(dataDir: string): Promise<Endpoints | undefined> {
  let text: string;
  try {
    text = await readFile(join(dataDir, NAME), 'utf8');
  } catch {
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    return isEndpoints(value) ? { processes: {}, ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** What the nodes of a data folder say. One that was killed may be among them. */
export async function listEndpoints(dataDir: string): Promise<readonly Endpoints[]> {
  const found = await Promise.all((await nodeFolders(dataDir)).map(readEndpoints));
  return found.filter((endpoints) => endpoints !== undefined);
}

/** A data folder, and those of the nodes that `npm start -- --nodes N` runs below it, by name. */
export async function nodeFolders(dataDir: string): Promise<readonly string[]> {
  const names = await readdir(join(dataDir, NODES)).catch(() => []);
  return [dataDir, ...names.sort().map((name) => join(dataDir, NODES, name))];
}

const ADDRESSES = ['http', 'postgres', 'nats', 'peer', 'etcd', 'health'] as const;
const TEXTS = [...ADDRESSES, 'installation'] as const;

function isEndpoints(value: unknown): value is Partial<Endpoints> {
  if (typeof value !== 'object' || value === null) return false;
  if (!ADDRESSES.some((name) => name in value)) return false;
  const given = TEXTS.filter((name) => name in value);
  return given.every((name) => typeof (value as Endpoints)[name] === 'string');
}

/** Removes the file when it still names this process, at the end of an orderly stop. */
export async function removeEndpoints(dataDir: string, processId: number): Promise<void> {
  const endpoints = await readEndpoints(dataDir);
  if (!Object.values(endpoints?.processes ?? {}).includes(processId)) return;
  await rm(join(dataDir, NAME), { force: true });
}
