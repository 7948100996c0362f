import { afterEach, describe, expect, it } from 'vitest';
import type { AppendRequest, Entry, Message } from '../core/index.js';
import { SlowMachine } from './slow-machine.fixture.js';

/** What a follower waits for at most before it takes its leader for dead, by the default settings. */
const ELECTION_MS = 350;

let open: SlowMachine | null = null;
afterEach(async () => {
  await open?.stop();
  open = null;
});

async function opened(folder?: SlowMachine['folder'], applyMs = 0): Promise<SlowMachine> {
  open = await SlowMachine.open(folder, applyMs);
  return open;
}

const HEAD = { from: 'l1', to: 'n1', term: 1 } as const;

/** Entry `index` of term 1, and that everything up to `commit` is committed. */
function append(index: number, commit: number): AppendRequest {
  const data = Buffer.alloc(1000, 'x');
  const entries: Entry[] = [{ index, term: 1, kind: 'command', data }];
  const previous = { previousIndex: index - 1, previousTerm: index === 1 ? 0 : 1 };
  return { ...HEAD, type: 'append', ...previous, entries, commit };
}

describe('a state machine that takes its time', () => {
  it('costs no leadership, though it takes seconds', async () => {
    const slow = await opened();
    await slow.lead();
    const { term } = slow.node.status();
    slow.applyMs = 1;
    const last = slow.propose(3000, 1000);
    const beganMs = slow.nowMs;
    await slow.until('all is applied', () => slow.node.status().appliedIndex === last);
    expect(slow.nowMs - beganMs).toBeGreaterThanOrEqual(3000);
    expect(slow.node.status()).toMatchObject({ role: 'leader', term });
  });

  it('does not delay what is written and said meanwhile', async () => {
    const slow = await opened();
    await slow.lead();
    slow.applyMs = 1;
    slow.propose(1000, 1000);
    await slow.until('it applies', () => slow.applied.length > 10);
    const beganMs = slow.nowMs;
    const index = slow.propose(1, 10);
    await slow.until('it is committed', () => slow.node.status().commitIndex >= index);
    expect(slow.nowMs - beganMs).toBeLessThan(100);
    expect(slow.node.status().appliedIndex).toBeLessThan(index - 500);
  });

  it('costs no leadership when all of the log is to be applied anew after a start', async () => {
    const before = await opened();
    await before.lead();
    const count = before.propose(9000, 100);
    await before.until('all is applied', () => before.node.status().appliedIndex === count);
    await before.stop();
    const slow = await opened(before.folder, 1);
    await slow.lead();
    const { term } = slow.node.status();
    await slow.until('all is applied', () => slow.node.status().appliedIndex > count);
    expect(slow.machine.commands).toHaveLength(9000);
    expect(slow.applied.at(-1)?.atMs).toBeGreaterThan(9000);
    expect(slow.node.status()).toMatchObject({ role: 'leader', term });
  });

  it('keeps no follower from acknowledging, answering heartbeats, and voting', async () => {
    const slow = await opened();
    slow.events.onMessage({ ...HEAD, type: 'heartbeat', commit: 0, round: 0 });
    const isSaid = (is: (message: Message) => boolean): boolean => slow.said.some(is);
    const isHeld = (index: number): boolean =>
      isSaid((message) => message.type === 'append-response' && message.index === index);
    const committed = 1000;
    for (let index = 1; index <= committed; index += 1) {
      slow.events.onMessage(append(index, 0));
    }
    await slow.until('all is acknowledged', () => isHeld(committed));

    slow.applyMs = 2;
    const beganMs = slow.nowMs;
    const count = committed + 150;
    for (let index = committed + 1; index <= count; index += 1) {
      slow.events.onMessage(append(index, committed));
      const sentMs = slow.nowMs;
      await slow.until(`${index} is acknowledged`, () => isHeld(index));
      expect(slow.nowMs - sentMs).toBeLessThan(100);
    }
    expect(slow.nowMs - beganMs).toBeGreaterThan(2 * ELECTION_MS);
    expect(slow.node.status()).toMatchObject({ role: 'follower', leader: 'l1' });

    slow.events.onMessage({ ...HEAD, type: 'heartbeat', commit: committed, round: 7 });
    await slow.until('the heartbeat is answered', () =>
      isSaid((message) => message.type === 'heartbeat-response' && message.round === 7),
    );
    const vote = { lastIndex: count, lastTerm: 1, transfer: true } as const;
    slow.events.onMessage({ from: 'l2', to: 'n1', term: 2, type: 'vote', ...vote });
    await slow.until('it votes', () =>
      isSaid((message) => message.type === 'vote-response' && message.granted),
    );
    expect(slow.node.status().appliedIndex).toBeLessThan(committed);
  });

  it('is given everything before the node stops, and a snapshot is taken when it is due', async () => {
    const slow = await opened();
    await slow.lead();
    slow.applyMs = 1;
    const last = slow.propose(10_500, 10);
    await slow.until('there is a snapshot', () => slow.node.status().snapshotIndex > 0, 0);
    expect(slow.node.status().snapshotIndex).toBeGreaterThanOrEqual(10_000);
    await slow.stop();
    expect(slow.machine.commands).toHaveLength(10_500);
    expect(slow.node.status().appliedIndex).toBe(last);
  });
});

describe('a read that was confirmed before a snapshot came', () => {
  it('is answered once the snapshot is installed', async () => {
    const slow = await opened();
    slow.events.onMessage({ ...HEAD, type: 'heartbeat', commit: 0, round: 0 });
    await slow.turn();
    let isAnswered = false;
    const read = slow.node.barrier(60_000).then(() => (isAnswered = true));
    const asked = (): Message | undefined => slow.said.find(({ type }) => type === 'read');
    await slow.until('the leader is asked', () => asked() !== undefined);
    const question = asked();
    if (question?.type !== 'read') throw new Error('no read was asked for');
    slow.events.onMessage({ ...HEAD, type: 'read-response', id: question.id, index: 10 });
    await slow.turn();
    expect(isAnswered).toBe(false);
    const configuration = {
      voters: ['l1', 'l2', 'n1'],
      outgoing: [],
      learners: [],
      learnersNext: [],
    };
    const snapshot = { index: 10, term: 1, configuration };
    slow.events.onSnapshot({ ...HEAD, type: 'snapshot', snapshot }, Buffer.from('["a"]'));
    await slow.until('the read is answered', () => isAnswered);
    await read;
    expect(slow.machine.commands).toEqual(['a']);
  });
});
