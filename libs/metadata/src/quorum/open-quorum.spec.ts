import { afterEach, describe, expect, it } from 'vitest';
import { NO_LEASE, prefixRange } from '../state/index.js';
import { metadataStoreConformance } from '../testing/metadata-store.conformance.js';
import { systemTime } from '../testing/system-time.js';
import { bytesToText, textToBytes } from '../text.js';
import type { QuorumOptions } from './open-quorum.js';
import type { QuorumNode } from './quorum-node.js';
import { TcpQuorum } from './tcp-quorum.fixture.js';

const IDS = ['a', 'b', 'c'];
const everything = prefixRange(textToBytes(''));

let open: TcpQuorum[] = [];

async function found(ids = IDS, options: Partial<QuorumOptions> = {}): Promise<TcpQuorum> {
  const quorum = await TcpQuorum.found(ids, options);
  open.push(quorum);
  return quorum;
}

afterEach(async () => {
  await Promise.all(open.map((quorum) => quorum.end()));
  open = [];
});

const write = (node: QuorumNode, key: string) =>
  node.txn({
    compare: [],
    success: [{ kind: 'put', key: textToBytes(key), value: textToBytes(''), lease: NO_LEASE }],
    failure: [],
  });

async function keysOf(node: QuorumNode): Promise<string[]> {
  const content = await node.range(everything);
  if (!content.ok) throw new Error(content.refusal);
  return content.kvs.map(({ key }) => bytesToText(key));
}

/** Asks again until it holds: for what follows by itself, within the test's time. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise<void>((resolve) => systemTime.after(20, resolve));
}

async function numberOf(node: QuorumNode, id: string): Promise<bigint> {
  const member = (await node.members()).find((one) => one.id === id);
  if (member === undefined) throw new Error(`${id} is no member`);
  return member.number;
}

metadataStoreConformance('a follower of three nodes over TCP', async () => {
  const quorum = await TcpQuorum.found(IDS);
  await quorum.node('a').range(everything);
  const { leader } = await quorum.node('a').status();
  const store = quorum.node(IDS.find((id) => id !== leader) ?? 'a');
  return { store, close: () => quorum.end() };
});

metadataStoreConformance('the leader of three nodes over TCP', async () => {
  const quorum = await TcpQuorum.found(IDS);
  await quorum.node('a').range(everything);
  const { leader } = await quorum.node('a').status();
  return { store: quorum.node(leader ?? 'a'), close: () => quorum.end() };
});

describe('nodes over TCP', () => {
  it('found one cluster, know each other, and have everything after a restart of all', async () => {
    const quorum = await found();
    for (const id of IDS) await write(quorum.node(id), id);
    await until(async () => {
      const members = await quorum.node('a').members();
      return members.length === 3 && members.every(({ name }) => name !== '');
    });
    const members = await quorum.node('b').members();
    expect(new Set(IDS.map((id) => quorum.node(id).clusterId)).size).toBe(1);
    expect(members.map(({ id, learner }) => [id, learner])).toEqual(IDS.map((id) => [id, false]));
    for (const { id, peerAddress } of members) expect(peerAddress).toBe(await quorum.address(id));
    await Promise.all(IDS.map((id) => quorum.stop(id)));
    await Promise.all(IDS.map((id) => quorum.start(id)));
    for (const id of IDS) expect(await keysOf(quorum.node(id))).toEqual(IDS);
  });

  it('take one in that joins, and make it a voter', async () => {
    const quorum = await found(['a']);
    for (let at = 0; at < 10; at += 1) await write(quorum.node('a'), `k${at}`);
    const added = quorum.node('a').addMember({ id: 'd', peerAddress: await quorum.address('d') });
    expect(await added).toMatchObject({ ok: true, changed: { id: 'd', learner: true } });
    const joined = await quorum.start('d');
    expect(joined.clusterId).toBe(quorum.node('a').clusterId);
    expect(await keysOf(joined)).toHaveLength(10);
    await until(async () => (await joined.members()).every(({ learner }) => !learner));
    await write(joined, 'by-d');
    expect(await keysOf(quorum.node('a'))).toContain('by-d');
  });

  it('take one in of which only the address was told, under the id that this gave it', async () => {
    const quorum = await found(['a']);
    const peerAddress = await quorum.address('d');
    const added = await quorum.node('a').addMember({ peerAddress });
    const id = added.ok ? added.changed?.id : undefined;
    expect(id).toMatch(/^member-/);
    await quorum.start('d');
    await until(async () => (await quorum.node('d').members()).every(({ learner }) => !learner));
    const own = (await quorum.node('a').members()).find((member) => member.name === 'd');
    expect(own).toMatchObject({ id, peerAddress });
    await quorum.stop('d');
    await write(await quorum.start('d'), 'by-d');
    expect(quorum.node('d').nodeId).toBe(id);
    await quorum.stop('d');
    const other = quorum.start('e', { dataDir: quorum.dataDir('d') });
    await expect(other).rejects.toThrow(`belongs to node "${id}", not "e"`);
  });

  it('let one go, which then stops and says why; and take its id in anew', async () => {
    const quorum = await found();
    await write(quorum.node('a'), 'k');
    const number = await numberOf(quorum.node('a'), 'c');
    /* Refused while not all the others have been heard of. */
    await until(async () => (await quorum.node('a').removeMember(number)).ok);
    await until(() => quorum.failures.has('c'));
    expect(quorum.failures.get('c')?.message).toBe('node c was removed from the quorum');
    await quorum.stop('c');
    expect((await quorum.node('a').members()).map(({ id }) => id)).toEqual(['a', 'b']);
    await until(async () => {
      const peerAddress = await quorum.address('c');
      const result = await quorum.node('b').addMember({ id: 'c', peerAddress });
      return result.ok;
    });
    const { cluster } = { cluster: await joining(quorum, 'c') };
    const again = await quorum.start('c', { dataDir: quorum.dataDir('c-again'), cluster });
    await until(async () => (await again.members()).every(({ learner }) => !learner));
    expect(await keysOf(again)).toEqual(['k']);
  });

  it('refuse a second folder of an id that is taken', async () => {
    const quorum = await found();
    await until(async () => (await quorum.node('a').members()).every(({ name }) => name !== ''));
    await quorum.stop('c');
    const problems: string[] = [];
    await quorum.start('c', {
      dataDir: quorum.dataDir('other'),
      onProblem: (text) => problems.push(text),
    });
    await until(() => problems.some((text) => text.includes('a second node with the id c')));
    await expect(keysOf(quorum.node('c'))).rejects.toMatchObject({ done: 'no' });
    expect(await keysOf(quorum.node('a'))).toEqual([]);
  });

  it('whose majority is lost for good begin anew from one, and grow again', async () => {
    const quorum = await found();
    for (const id of IDS) await write(quorum.node(id), id);
    await Promise.all(IDS.map((id) => quorum.stop(id)));
    const alone = await quorum.start('a', { forceNewCluster: true });
    expect(await keysOf(alone)).toEqual(IDS);
    await until(async () => (await alone.members()).every(({ name }) => name !== ''));
    expect((await alone.members()).map(({ id }) => id)).toEqual(['a']);
    await quorum.stop('a');
    const again = await quorum.start('a');
    const peerAddress = await quorum.address('b');
    expect(await again.addMember({ id: 'b', peerAddress })).toMatchObject({ ok: true });
    const cluster = await joining(quorum, 'b');
    const second = await quorum.start('b', { dataDir: quorum.dataDir('b-again'), cluster });
    await until(async () => (await second.members()).every(({ learner }) => !learner));
    expect(await keysOf(second)).toEqual(IDS);
  });

  it('hand leadership over, when asked and when they are closed', async () => {
    const quorum = await found();
    await write(quorum.node('a'), 'k');
    const { leader } = await quorum.node('a').status();
    const first = quorum.node(leader ?? '');
    const heir = IDS.find((id) => id !== leader) ?? '';
    expect(await first.transferLeadership(await numberOf(first, heir))).toBe('done');
    expect(await first.transferLeadership(await numberOf(first, heir))).toBe('not-leader');
    const { term } = await quorum.node(heir).status();
    await quorum.stop(heir);
    await write(first, 'l');
    expect((await first.status()).term).toBe(term + 1);
  });
});

/** How a node joins that founded the cluster once. */
async function joining(quorum: TcpQuorum, id: string) {
  const [host = '', port = ''] = (await quorum.address(id)).split(':');
  const [, own = ''] = (await quorum.address('a')).split(':');
  const peers = [{ id: 'a', host, port: Number(own) }];
  return { listen: { host, port: Number(port) }, peers, join: true };
}
