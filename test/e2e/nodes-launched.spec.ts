import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { layOut } from '../../infra/dev/lib/data-folder.mjs';
import { NodeKeeper, RemovedNode } from '../../infra/dev/lib/node-keeper.mjs';
import {
  finishForgetting,
  forgetNode,
  planNodes,
  recordNodes,
  type PlannedNode,
} from '../../infra/dev/lib/node-plan.mjs';
import { assertDistinct, portsOf } from '../../infra/dev/lib/ports.mjs';
import type { Service } from '../../infra/dev/lib/service.mjs';
import { readSettings } from '../../infra/dev/lib/settings.mjs';
import { eventually } from '../support/eventually.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await makeTemporaryFolder('nodes');
});

afterEach(() => folder.remove());

function settingsOf(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const settings = readSettings(args, env);
  if (settings === 'help') throw new Error('no settings');
  return settings;
}

const plan = (args: readonly string[], env?: NodeJS.ProcessEnv) =>
  planNodes(layOut(folder.path), settingsOf(args, env));

async function planned(args: readonly string[], env?: NodeJS.ProcessEnv) {
  const nodes = await plan(args, env);
  if (nodes === undefined) throw new Error('a single node');
  return nodes;
}

const idsOf = (nodes: readonly PlannedNode[]) => nodes.map(({ id }) => id);

describe('the nodes of a data folder', () => {
  it('are a single one as ever unless more are asked for', async () => {
    expect(await plan([])).toBeUndefined();
    expect(await plan(['--nodes', '1'])).toBeUndefined();
  });

  it.each(['3', '5'])(
    'are %s on ports that do not meet each other or what else runs',
    async (n) => {
      const nodes = await planned(['--nodes', n]);
      expect(nodes).toHaveLength(Number(n));
      const ports = portsOf(settingsOf([]), nodes);
      expect(ports).toHaveLength(3 * Number(n) + 2);
      expect(() => assertDistinct(ports)).not.toThrow();
      expect(nodes[1]).toMatchObject({
        ports: { http: 7401, peer: 7490, etcd: 7489 },
        isNew: true,
      });
    },
  );

  it('are refused where two would have one port', async () => {
    const env = { PAWL_HTTP_PORT: '7420' };
    const nodes = await planned(['--nodes', '3'], env);
    expect(() => assertDistinct(portsOf(settingsOf([], env), nodes))).toThrow(
      'REST of node-3 and NATS would both have port 7422: set PAWL_HTTP_PORT or PAWL_NATS_PORT',
    );
  });

  it('keep the ports of the quorum that they were started with, free ones too', async () => {
    const data = layOut(folder.path);
    const first = await planned(['--nodes', '3'], { PAWL_PEER_PORT: '0' });
    await recordNodes(data, first);
    const again = await planned([], { PAWL_PEER_PORT: '9000' });
    expect(again.map(({ ports }) => ports.peer)).toEqual(first.map(({ ports }) => ports.peer));
  });

  it('grow, go on where that was interrupted, and do not shrink unless one was taken out', async () => {
    const data = layOut(folder.path);
    const three = await planned(['--nodes', '3']);
    await recordNodes(data, three.slice(0, 2));
    await mkdir(join(data.nodes, 'node-2', 'metadata'), { recursive: true });
    const gone = await planned(['--nodes', '5']);
    expect(gone.map(({ isNew }) => isNew)).toEqual([false, false, true, true, true]);
    await recordNodes(data, three);
    expect(idsOf(await planned([]))).toEqual(['node-1', 'node-2', 'node-3']);
    await expect(plan(['--nodes', '1'])).rejects.toThrow(
      /cluster remove node-3, then .* cluster remove node-2\)/,
    );
    for (const node of three.slice(1)) await forgetNode(data, node);
    expect(await plan([]), 'the first is alone again').toBeUndefined();
  });

  it('are forgotten two at a time', async () => {
    const data = layOut(folder.path);
    const three = await planned(['--nodes', '3']);
    await recordNodes(data, three);
    await Promise.all(three.slice(1).map((node) => forgetNode(data, node)));
    expect(await plan([])).toBeUndefined();
  });

  it('are forgotten to the end where that was interrupted, and are others when they are added again', async () => {
    const data = layOut(folder.path);
    const left = { 'node-1': 20_001, 'node-2': 20_002 };
    await writeFile(data.nodesRecord, JSON.stringify({ peerPorts: left, removed: ['node-3'] }));
    const second = join(data.nodes, 'node-2');
    const third = join(data.nodes, 'node-3');
    for (const node of [second, third]) {
      await mkdir(join(node, 'metadata'), { recursive: true });
      await writeFile(join(node, 'endpoints.json'), '{}');
    }
    expect(idsOf(await planned([]))).toEqual(['node-1', 'node-2']);
    const grown = await planned(['--nodes', '3']);
    expect(grown.map(({ isNew }) => isNew)).toEqual([false, false, true]);
    await finishForgetting(data);
    for (const name of ['metadata', 'endpoints.json']) {
      expect(existsSync(join(third, name))).toBe(false);
      expect(existsSync(join(second, name)), 'of one that was not removed').toBe(true);
    }
    expect(await readFile(data.nodesRecord, 'utf8')).toBe(
      `${JSON.stringify({ peerPorts: left }, null, 2)}\n`,
    );
  });
});

describe('a node that died', () => {
  const nodes = ['node-1', 'node-2'].map((id): PlannedNode => {
    const ports = { http: 0, peer: 1, etcd: 0 };
    return { id, folder: '/nowhere', isNew: false, isRecorded: true, ports };
  });
  let said: string[];
  let started: string[];
  let forgotten: string[];
  let gaveUp: string[];
  let start: (id: string, signal: AbortSignal) => Promise<string>;
  let keeper: NodeKeeper;

  beforeEach(() => {
    [said, started, forgotten, gaveUp] = [[], [], [], []];
    start = (id) => Promise.resolve(`http://${id}`);
    keeper = new NodeKeeper({
      start: ({ id }, signal) => {
        started.push(id);
        return start(id, signal);
      },
      forget: ({ id }) => Promise.resolve(void forgotten.push(id)),
      say: (line) => void said.push(line),
      giveUp: ({ message }) => void gaveUp.push(message),
      pauseMs: 1,
      tellEveryMs: 20,
    });
    for (const node of nodes) keeper.keep(node);
  });

  const died = (name: string, log = '') =>
    keeper.died({ name, tail: () => log } as Service, `${name} ended.`);

  it('is started again, and said to be back', async () => {
    died('node-2');
    await eventually(() =>
      expect(said.at(-1)).toMatch(/^node-2 is back at http:\/\/node-2, after/),
    );
    expect(started).toEqual(['node-2']);
    expect(said[0]).toMatch(/^node-2 ended\. The others take its shards over/);
  });

  it('is said to be starting all the while', async () => {
    let serve: (url: string) => void = () => undefined;
    start = () => new Promise((resolve) => (serve = resolve));
    died('node-2');
    await eventually(() => expect(said.at(-1)).toMatch(/^Starting node-2 again … \d+\.\d s$/));
    serve('http://node-2');
    await eventually(() => expect(said.at(-1)).toMatch(/^node-2 is back/));
  });

  it('is given up once it does so again and again, and so is the whole once none is left', async () => {
    start = (id) => Promise.reject(new Error(`${id} cannot start.`));
    died('node-2');
    await eventually(() => expect(said.at(-1)).toMatch(/5 times .* not started again/));
    expect(started).toHaveLength(4);
    expect(gaveUp).toEqual([]);
    died('node-1');
    await eventually(() => expect(gaveUp).toHaveLength(1));
  });

  it('is forgotten when it was removed from the quorum', async () => {
    died('node-2', 'pawl: node node-2 was removed from the quorum');
    await eventually(() => expect(forgotten).toEqual(['node-2']));
    expect(said[0]).toContain('was removed from the quorum and is not started again');
    expect(keeper.keeps('node-2')).toBe(false);
    expect(started).toEqual([]);
  });

  it('is forgotten when it turns out, as it is started again, to have been removed meanwhile', async () => {
    start = () => Promise.reject(new RemovedNode('ended'));
    died('node-2');
    await eventually(() => expect(forgotten).toEqual(['node-2']));
    expect(started).toEqual(['node-2']);
    expect(keeper.keeps('node-2')).toBe(false);
  });

  it('is forgotten once all have ended when it learnt of its removal while it was stopped', async () => {
    const logs = ['', 'node node-2 was removed from the quorum'];
    for (const [at, node] of nodes.entries()) {
      keeper.spawned(node, { name: node.id, tail: () => logs[at] } as Service);
    }
    await keeper.close();
    await keeper.forgetRemoved();
    await keeper.forgetRemoved();
    expect(forgotten).toEqual(['node-2']);
    expect(said).toEqual(["node-2 was removed from the quorum; its member's files are removed."]);
  });

  it('is not started any more once all is to stop', async () => {
    start = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    died('node-1');
    await eventually(() => expect(started).toEqual(['node-1']));
    died('node-2');
    await keeper.close();
    expect(said.filter((line) => line.includes('is back'))).toEqual([]);
    expect(started.filter((id) => id === 'node-1')).toHaveLength(1);
  });
});
