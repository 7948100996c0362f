import { rm } from 'node:fs/promises';
import { openEtcdMetadata, textToBytes, type EtcdMetadataStore } from '@pawl/metadata';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { QuorumProcess } from '../support/quorum-process.js';
import { runPawl, type RanPawl } from '../support/run-pawl.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const timer = {
  after: (delayMs: number, callback: () => void) => {
    const timeout = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};

interface MemberRow {
  readonly id: string;
  readonly name: string;
  readonly role: 'leader' | 'voter' | 'learner';
  readonly answers: boolean;
}

let folder: TemporaryFolder;
/** By name, those that run or ran. */
const members = new Map<string, QuorumProcess>();
let peers: string;

const member = (name: string): QuorumProcess => {
  const found = members.get(name);
  if (found === undefined) throw new Error(`no member ${name}`);
  return found;
};

async function prepare(name: string, args: readonly string[] = []): Promise<QuorumProcess> {
  const process_ = await QuorumProcess.prepare(name, folder.path, args);
  members.set(name, process_);
  return process_;
}

/** With a client of etcd's protocol, at one member. */
async function at<T>(name: string, work: (store: EtcdMetadataStore) => Promise<T>): Promise<T> {
  const store = await openEtcdMetadata({ endpoints: [member(name).endpoint], clock, timer });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

async function write(name: string, key: string, value: string): Promise<void> {
  const put = { kind: 'put' as const, key: textToBytes(key), value: textToBytes(value), lease: 0n };
  const result = await at(name, (store) => store.txn({ compare: [], success: [put], failure: [] }));
  expect(result.ok).toBe(true);
}

async function read(name: string, key: string): Promise<string | undefined> {
  const result = await at(name, (store) => store.range({ key: textToBytes(key) }));
  if (!result.ok) throw new Error(result.refusal);
  const [kv] = result.kvs;
  return kv === undefined ? undefined : Buffer.from(kv.value).toString();
}

const cluster = (name: string, ...args: readonly string[]): Promise<RanPawl> =>
  runPawl(['-o', 'json', 'cluster', ...args, '--endpoint', member(name).endpoint]);

async function rows(name: string): Promise<readonly MemberRow[]> {
  const { out } = await cluster(name, 'members');
  return JSON.parse(out) as readonly MemberRow[];
}

/** The names of the voters, sorted, once all answer and one leads. */
function settled(name: string, voters: readonly string[]): Promise<string> {
  return eventually(async () => {
    const now = await rows(name);
    const voting = now.filter(({ role }) => role !== 'learner');
    expect(voting.map((row) => row.name).sort()).toEqual(voters);
    expect(now.filter(({ answers }) => !answers)).toEqual([]);
    const leaders = now.filter(({ role }) => role === 'leader');
    expect(leaders).toHaveLength(1);
    return leaders[0]?.name ?? '';
  }, 60_000);
}

const otherThan = (...names: readonly string[]): string =>
  [...members.keys()].find((name) => !names.includes(name)) ?? '';

/** Starts a new member with the very words that `cluster add` printed. */
async function join(name: string, through: string): Promise<void> {
  const newcomer = await prepare(name);
  const added = await cluster(through, 'add', `${name}=${newcomer.peerAddress}`);
  expect(added).toMatchObject({ code: 0, err: '' });
  const { command } = JSON.parse(added.out) as { readonly command: string };
  const [, words = ''] = /pawl quorum (--join .*) --data-dir /.exec(command) ?? [];
  expect(words).toContain(`--node-id ${name}`);
  await newcomer.start(words.split(' '));
}

beforeAll(async () => {
  folder = await makeTemporaryFolder('quorum');
  for (const name of ['n1', 'n2', 'n3']) await prepare(name);
  peers = [...members.values()].map((one) => `${one.name}=${one.peerAddress}`).join(',');
  await Promise.all([...members.values()].map((one) => one.start(['--peers', peers])));
  await settled('n1', ['n1', 'n2', 'n3']);
});

afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const one of members.values()) console.error(`--- ${one.name}\n${one.log()}`);
});

afterAll(async () => {
  await Promise.all([...members.values()].map((one) => one.kill()));
  await folder.remove();
});

it('founds a quorum of members that start with the same list', async () => {
  await write('n1', 'a', '1');
  expect(await Promise.all(['n1', 'n2', 'n3'].map((name) => read(name, 'a')))).toEqual([
    '1',
    '1',
    '1',
  ]);
  for (const name of members.keys()) {
    expect(await member(name).health()).toEqual({ status: 200, reason: '' });
    expect(await member(name).metrics()).toContain('pawl_quorum_has_leader 1');
    expect(member(name).log()).toMatch(/coordination API \(etcd v3\) at http:\/\/127\.0\.0\.1:\d+/);
  }
});

it('loses nothing and goes on when its leader is killed', async () => {
  const leader = await settled('n1', ['n1', 'n2', 'n3']);
  const other = otherThan(leader);
  await write(leader, 'b', '2');
  await member(leader).kill();
  await eventually(() => write(other, 'c', '3'));
  expect(await read(other, 'b')).toBe('2');
  await member(leader).start(['--peers', peers]);
  await settled(other, ['n1', 'n2', 'n3']);
  expect(await read(leader, 'c')).toBe('3');
});

it('hands leadership to whom it is told to', async () => {
  const leader = await settled('n1', ['n1', 'n2', 'n3']);
  const other = otherThan(leader);
  expect(await cluster(other, 'transfer', other)).toMatchObject({ code: 0, err: '' });
  expect(await settled(leader, ['n1', 'n2', 'n3'])).toBe(other);
});

it('is red while there is no majority', async () => {
  const [first, second, third] = [...members.values()];
  await Promise.all([second?.kill(), third?.kill()]);
  await eventually(async () => expect((await first?.health())?.status).toBe(503));
  expect((await first?.health())?.reason).not.toBe('');
  await Promise.all([second?.start(), third?.start()]);
  await eventually(async () => expect((await first?.health())?.status).toBe(200));
});

it('comes back from its folders when all restart at once, without being told whom it is of', async () => {
  const before = (await rows('n1')).map(({ id }) => id).sort();
  expect(await Promise.all([...members.values()].map((one) => one.stop()))).toEqual([0, 0, 0]);
  await Promise.all([...members.values()].map((one) => one.start()));
  await settled('n1', ['n1', 'n2', 'n3']);
  expect((await rows('n1')).map(({ id }) => id).sort()).toEqual(before);
  expect(await read('n2', 'c')).toBe('3');
});

it('says that another list of peers does not count, and goes on with its own', async () => {
  expect(await member('n2').stop()).toBe(0);
  await member('n2').start(['--peers', `n2=${member('n2').peerAddress}`]);
  expect(member('n2').log()).toMatch(
    /warn +--peers \(PAWL_PEERS\) names n2, but .* belongs to a quorum of n1, n2, n3, which counts/,
  );
  await settled('n2', ['n1', 'n2', 'n3']);
});

it('lets a fourth in, which votes once it has caught up', async () => {
  await join('n4', 'n1');
  await settled('n1', ['n1', 'n2', 'n3', 'n4']);
  expect(await read('n4', 'c')).toBe('3');
  await member('n4').stop();
  await member('n4').start();
  await settled('n4', ['n1', 'n2', 'n3', 'n4']);
});

it('lets go of a member that is removed while it runs, which ends and says why', async () => {
  const { code, err } = await cluster('n1', 'remove', 'n4');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(await member('n4').exited()).toBe(1);
  expect(member('n4').log()).toContain('was removed from the quorum');
  members.delete('n4');
  await settled('n1', ['n1', 'n2', 'n3']);
});

it('lets go of a member that is removed while it is down, which ends once it is started', async () => {
  await join('n7', 'n1');
  await settled('n1', ['n1', 'n2', 'n3', 'n7']);
  const gone = member('n7');
  expect(await gone.stop()).toBe(0);
  members.delete('n7');
  await eventually(async () => {
    expect(await cluster('n1', 'remove', 'n7')).toMatchObject({ code: 0, err: '' });
  });
  const [, port = ''] = gone.peerAddress.split(':');
  const args = ['--data-dir', gone.dataFolder, '--node-id', 'n7'];
  const ports = ['--peer-port', port, '--etcd-port', '0', '--http-port', '0'];
  const { code, err } = await runPawl(['quorum', ...args, ...ports]);
  expect({ code, err }).toEqual({
    code: 1,
    err: 'pawl: node n7 was removed from the quorum\n',
  });
});

it('replaces a member whose disk is gone', async () => {
  await member('n3').kill();
  await rm(member('n3').dataFolder, { recursive: true });
  members.delete('n3');
  await eventually(async () => {
    expect(await cluster('n1', 'remove', 'n3')).toMatchObject({ code: 0, err: '' });
  });
  await join('n5', 'n2');
  await settled('n1', ['n1', 'n2', 'n5']);
  expect(await read('n5', 'c')).toBe('3');
});

it('does not speak with a member of another cluster, nor with a second one of the same id', async () => {
  const foreign = await QuorumProcess.prepare('n1', `${folder.path}/foreign`);
  const twin = await QuorumProcess.prepare('n2', `${folder.path}/twin`);
  try {
    const known = `n2=${member('n2').peerAddress}`;
    await foreign.start(['--peers', `n1=${foreign.peerAddress},${known}`]);
    await twin.start(['--join', '--peers', `n1=${member('n1').peerAddress}`]);
    for (const intruder of [foreign, twin]) {
      await eventually(async () => expect((await intruder.health()).status).toBe(503));
    }
    await write('n1', 'd', '4');
    expect(await read('n2', 'd')).toBe('4');
    await settled('n1', ['n1', 'n2', 'n5']);
  } finally {
    await foreign.kill();
    await twin.kill();
  }
});

it('begins nothing where a port is taken, so that another list of peers counts later', async () => {
  const late = await QuorumProcess.prepare('n8', folder.path);
  const own = `n8=${late.peerAddress}`;
  const [, taken = ''] = member('n1').endpoint.split(':');
  const ports = ['--peer-port', '0', '--etcd-port', '0', '--http-port', taken];
  const args = ['--data-dir', late.dataFolder, '--node-id', 'n8', '--peers'];
  const list = `${own},x=127.0.0.1:1,y=127.0.0.1:2`;
  const { code, err } = await runPawl(['quorum', ...args, list, ...ports]);
  expect(code).toBe(1);
  expect(err).toContain('for health and metrics: something else does');
  try {
    await late.start(['--peers', own]);
    await eventually(async () => expect((await late.health()).status).toBe(200));
    expect(late.log()).not.toContain('which counts');
  } finally {
    await late.kill();
  }
});

it('refuses a second process on the same folder', async () => {
  const { dataFolder } = member('n1');
  const args = ['--data-dir', dataFolder, '--node-id', 'n1'];
  const ports = ['--peer-port', '0', '--etcd-port', '0', '--http-port', '0'];
  const { code, err } = await runPawl(['quorum', ...args, ...ports]);
  expect(code).toBe(1);
  expect(err).toMatch(/^pawl: .* is in use by process \d+; stop that first/);
});

it('goes on alone, told so, when the majority is lost for good', async () => {
  for (const name of ['n1', 'n2', 'n5']) await member(name).kill();
  await member('n1').start(['--force-new-cluster']);
  await settled('n1', ['n1']);
  expect(await read('n1', 'd')).toBe('4');
  await write('n1', 'e', '5');
  await join('n6', 'n1');
  members.delete('n2');
  members.delete('n5');
  await settled('n1', ['n1', 'n6']);
  expect(await read('n6', 'e')).toBe('5');
});
