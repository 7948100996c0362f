import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '@pawl/raft/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemTime } from '../testing/system-time.js';
import { openMember } from './open-member.js';
import type { Member, MemberOptions, MemberSettings } from './open-member.js';

const HOST = '127.0.0.1';
const anyPort = { host: HOST, port: 0 };
const SETTINGS: MemberSettings = {
  peers: [],
  peersGiven: false,
  join: false,
  forceNewCluster: false,
  peer: { listen: anyPort, advertise: null, tls: null },
  etcd: { listen: anyPort, advertise: null, tls: null },
  snapshotCount: 10_000,
  heartbeatMs: 50,
  electionMs: 400,
  compaction: { mode: 'off' },
  quotaBytes: 16 * 1024 * 1024,
};
/** Nobody is there. */
const PEERS = ['b', 'c'].map((id, at) => ({ id, host: HOST, port: at + 1 }));

let root: string;
let folder: string;
let other: Server;
let taken: { readonly host: string; readonly port: number };
const open: Member[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pawl-member-'));
  folder = join(root, 'data', 'metadata');
  other = createServer().listen(0, HOST);
  await once(other, 'listening');
  taken = { host: HOST, port: (other.address() as AddressInfo).port };
});

afterEach(async () => {
  for (const member of open.splice(0)) await member.close();
  other.close();
  await rm(root, { recursive: true });
});

async function start(
  settings: Partial<MemberSettings> = {},
  options: Partial<MemberOptions> = {},
): Promise<Member> {
  const member = await openMember({
    folder,
    nodeId: 'a',
    settings: { ...SETTINGS, ...settings },
    clock: systemTime,
    timer: systemTime,
    onFailure: () => undefined,
    onProblem: () => undefined,
    ...options,
  });
  open.push(member);
  return member;
}

const stop = async (member: Member): Promise<void> => {
  open.splice(open.indexOf(member), 1);
  await member.close();
};

/** Settings that name this founding list, the node itself being at `port`. */
const listed = (port: number, peers = PEERS): Partial<MemberSettings> => ({
  peers,
  peersGiven: true,
  peer: { ...SETTINGS.peer, advertise: { host: HOST, port } },
});

describe('a start that cannot listen', () => {
  it.each([
    ['peer', 'the other members of the quorum', 'PAWL_PEER_PORT'],
    ['etcd', 'the coordination API', 'PAWL_ETCD_PORT'],
  ] as const)('begins nothing: the %s port is taken', async (which, what, setting) => {
    const place = { listen: taken, advertise: null, tls: null };
    await expect(start({ ...listed(9), [which]: place })).rejects.toThrow(
      `Cannot listen on ${HOST}:${taken.port} for ${what}: something else does, perhaps another Pawl; stop it or set ${setting} to another port.`,
    );
    expect(await readdir(folder)).toEqual([]);
    const member = await start({ peersGiven: true });
    expect(member.node.notes).toEqual([]);
    expect(member.node.nodeStatus().leader).not.toBeNull();
  });

  it('begins nothing when what else it needs cannot be had, and gives its ports back', async () => {
    const prepare = (): Promise<void> => Promise.reject(new Error('no port for health'));
    await expect(start({}, { prepare })).rejects.toThrow('no port for health');
    expect(await readdir(folder)).toEqual([]);
    await start();
  });

  it('begins nothing with a key of another certificate', async () => {
    const authority = new TestAuthority('members');
    const [one, two] = [authority.issue('one'), authority.issue('two')];
    const tls = { cert: join(root, 'cert'), key: join(root, 'key'), ca: null };
    await writeFile(tls.cert, one.cert);
    await writeFile(tls.key, two.key);
    const etcd = { listen: anyPort, advertise: null, tls };
    await expect(start({ etcd })).rejects.toThrow(
      'PAWL_ETCD_CERT, PAWL_ETCD_KEY do not go together or are damaged',
    );
    expect(existsSync(folder)).toBe(false);
  });
});

describe('a list of peers that is not that of the folder', () => {
  it('is said not to count, before and after the quorum was led', async () => {
    await stop(await start(listed(9)));
    const other = await start({ ...listed(9, []), peersGiven: true });
    expect(other.node.notes).toEqual([
      `PAWL_PEERS names a, but ${folder} was begun as one of a, b, c, which counts: if that was a mistake and no quorum of that list has ever run, stop this node, remove ${folder}, and start it again`,
    ]);
    await stop(other);
    await stop(await start({ forceNewCluster: true }));
    const alone = await start(listed(9, [{ id: 'x', host: HOST, port: 1 }]));
    expect(alone.node.notes).toEqual([
      `PAWL_PEERS names a, x, but ${folder} belongs to a quorum of a, which counts: change that with \`pawl cluster add\` and \`pawl cluster remove\`, and PAWL_PEERS to agree with it`,
    ]);
  });

  it('is not spoken of when it is the same, was that of the founders, or was not given', async () => {
    for (const settings of [listed(9), listed(9), {}]) {
      const member = await start(settings);
      expect(member.node.notes).toEqual([]);
      await stop(member);
    }
    await stop(await start({ forceNewCluster: true }));
    expect((await start(listed(9))).node.notes).toEqual([]);
  });

  it('is spoken of when its addresses differ before anybody led', async () => {
    await stop(await start(listed(9)));
    const { node } = await start(listed(8));
    expect(node.notes).toEqual([
      expect.stringContaining(`gives other addresses than the list with which ${folder} was begun`),
    ]);
  });
});

describe('a start that is to go on alone', () => {
  it('refuses a folder that holds no member, and makes none', async () => {
    await expect(start({ forceNewCluster: true })).rejects.toThrow(
      `${folder} holds no member: name the folder of the one that is left`,
    );
    expect(existsSync(join(root, 'data'))).toBe(false);
  });

  it('goes on with what a member held', async () => {
    await stop(await start(listed(9)));
    const { node } = await start({ forceNewCluster: true });
    expect(node.nodeStatus().leader).toBe(node.nodeStatus().member);
  });
});
