import { ManualTime } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { MetadataState, decodeCommand } from '../state/index.js';
import type { Command, CommandResult } from '../state/index.js';
import { bytesToText, textToBytes } from '../text.js';
import type { Proposal } from './proposal-line.js';
import type { LogStatus } from './replicated-log.port.js';
import { SessionCalls } from './session-calls.js';

const SESSIONS = {
  count: 10,
  idleEntries: 1000,
  window: 4,
  answerBytes: 1000,
  totalBytes: 100_000,
};

/** Calls over a state, with the test in the place of the leader and its log. */
class Desk {
  readonly time = new ManualTime();
  readonly state = new MetadataState();
  readonly offered: Proposal[] = [];
  readonly calls: SessionCalls;
  readonly ended: string[] = [];
  #ids = 0n;

  constructor(options: { maxCalls?: number; maxBytes?: number } = {}) {
    this.calls = new SessionCalls({
      clock: this.time,
      timer: this.time,
      line: { offer: (proposal: Proposal) => this.offered.push(proposal) } as never,
      newId: () => (this.#ids += 1n),
      appliedIndex: () => this.state.appliedIndex,
      timeoutMs: 1000,
      maxCalls: options.maxCalls ?? 100,
      maxBytes: options.maxBytes ?? 10_000,
      tooLarge: () => ({ kind: 'refused', refusal: 'too-large', revision: 0 }),
      window: SESSIONS.window,
    });
  }

  /** Puts a key; how that ends is noted. */
  put(key: string, value = ''): void {
    const success = [
      { kind: 'put', key: textToBytes(key), value: textToBytes(value), lease: 0n } as const,
    ];
    this.calls.call({ kind: 'txn', compare: [], success, failure: [] }).then(
      (result) => this.ended.push(`${key}: ${result.kind}`),
      (error: { done: string; message: string }) => this.ended.push(`${key}: ${error.done}`),
    );
  }

  /** What is offered and not looked at yet, as text. */
  take(): Proposal[] {
    return this.offered.splice(0);
  }

  /** The leader's log has it, and it is applied. */
  apply({ bytes }: Proposal, term = 1): CommandResult {
    const command = decodeCommand(bytes);
    const result = this.state.apply(command, { index: this.state.appliedIndex + 1, term });
    this.calls.applied(command, result);
    return result;
  }

  accept(proposal: Proposal, term = 1): void {
    proposal.answered({ ok: true, index: this.state.appliedIndex + 1, term });
  }

  /** Has a session opened by a first call. */
  async opened(): Promise<this> {
    this.put('first');
    for (let round = 0; round < 2; round += 1) {
      for (const proposal of this.take()) {
        this.accept(proposal);
        this.apply(proposal);
      }
    }
    await this.settled();
    expect(this.ended.splice(0)).toEqual(['first: txn']);
    return this;
  }

  async settled(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  }

  leads(term: number, leader: string | null = 'x'): void {
    this.calls.leaderChanged({ leader, term } as LogStatus);
  }
}

const commandOf = ({ bytes }: Proposal): Command => decodeCommand(bytes);
function keyOf(proposal: Proposal): string {
  const command = commandOf(proposal);
  if (command.kind !== 'txn') return command.kind;
  const [put] = command.success;
  return put?.kind === 'put' ? bytesToText(put.key) : '';
}

describe('calls in a session', () => {
  it('open one when it is needed, and share it', async () => {
    const desk = new Desk();
    expect(desk.offered).toEqual([]);
    desk.put('a');
    desk.put('b');
    const [open, ...rest] = desk.take();
    expect([keyOf(open!), rest]).toEqual(['session-open', []]);
    desk.apply(open!);
    const [a, b] = desk.take();
    expect(commandOf(a!).session).toEqual({ id: 1n, sequence: 1, answered: 1 });
    expect(commandOf(b!).session).toEqual({ id: 1n, sequence: 2, answered: 1 });
    desk.apply(b!);
    desk.apply(a!);
    desk.put('c');
    expect(commandOf(desk.take()[0]!).session).toEqual({ id: 1n, sequence: 3, answered: 3 });
    await desk.settled();
    expect(desk.ended).toEqual(['b: txn', 'a: txn']);
  });

  it('are answered when they are applied, whatever the leader has said by then', async () => {
    const desk = await new Desk().opened();
    desk.put('a');
    const [a] = desk.take();
    desk.accept(a!);
    await desk.settled();
    expect(desk.ended).toEqual([]);
    desk.apply(a!);
    await desk.settled();
    expect(desk.ended).toEqual(['a: txn']);
  });

  it('are done once when nobody knows what became of them, and answered by the first', async () => {
    const desk = await new Desk().opened();
    desk.put('a');
    const [first] = desk.take();
    first!.answered('unknown');
    desk.time.advance(100);
    const [again] = desk.take();
    expect(again!.bytes).toBe(first!.bytes);
    desk.apply(first!);
    desk.apply(again!);
    await desk.settled();
    expect(desk.ended).toEqual(['a: txn']);
    expect(desk.state.range({ key: textToBytes('a') })).toMatchObject({ kvs: [{ version: 1 }] });
  });

  it('that another leader took are proposed again, those of this one are not', async () => {
    const desk = await new Desk().opened();
    desk.put('old');
    desk.put('new');
    const [old, fresh] = desk.take();
    desk.accept(old!, 1);
    desk.accept(fresh!, 2);
    desk.leads(2, null);
    expect(desk.take()).toEqual([]);
    desk.leads(2);
    expect(desk.take().map(keyOf)).toEqual(['old']);
  });

  it('that a replaced leader took, as is heard late, are proposed again', async () => {
    const desk = await new Desk().opened();
    desk.put('a');
    const [a] = desk.take();
    desk.leads(2);
    desk.accept(a!, 1);
    desk.time.advance(100);
    expect(desk.take().map(keyOf)).toEqual(['a']);
  });

  it('wait for a leader, and surely were not done when none comes', async () => {
    const desk = await new Desk().opened();
    desk.put('a');
    for (let left = 10; left > 0; left -= 1) {
      for (const proposal of desk.take()) proposal.answered({ ok: false, reason: 'not-leader' });
      desk.time.advance(100);
    }
    await desk.settled();
    expect(desk.ended).toEqual(['a: no']);
  });

  it('end as unknown at their deadline once they may be in a log', async () => {
    const desk = await new Desk().opened();
    desk.put('unknown');
    desk.put('taken');
    desk.put('both');
    const [unknown, taken, both] = desk.take();
    unknown!.answered('unknown');
    desk.accept(taken!);
    both!.answered('unknown');
    desk.time.advance(100);
    for (const proposal of desk.take()) proposal.answered({ ok: false, reason: 'not-leader' });
    desk.time.advance(1000);
    await desk.settled();
    expect(desk.ended.sort()).toEqual(['both: unknown', 'taken: unknown', 'unknown: unknown']);
  });

  it('that the leader has no room for are refused at once, unless they may be in a log', async () => {
    const desk = await new Desk().opened();
    desk.put('fresh');
    desk.put('retried');
    const [fresh, retried] = desk.take();
    fresh!.answered({ ok: false, reason: 'overloaded' });
    retried!.answered('unknown');
    desk.time.advance(100);
    const [again] = desk.take();
    again!.answered({ ok: false, reason: 'too-much-uncommitted' });
    await desk.settled();
    expect(desk.ended).toEqual(['fresh: no']);
    desk.time.advance(100);
    desk.apply(desk.take()[0]!);
    await desk.settled();
    expect(desk.ended).toEqual(['fresh: no', 'retried: txn']);
  });

  it('begin another session when theirs has ended before they were tried', async () => {
    const desk = await new Desk().opened();
    desk.state.apply({ kind: 'session-close', id: 1n }, { index: 100, term: 1 });
    desk.put('a');
    const [lost] = desk.take();
    desk.apply(lost!);
    const [open] = desk.take();
    expect(keyOf(open!)).toBe('session-open');
    desk.apply(open!);
    const [again] = desk.take();
    expect(commandOf(again!).session).toMatchObject({ sequence: 1 });
    desk.apply(again!);
    await desk.settled();
    expect(desk.ended).toEqual(['a: txn']);
  });

  it('end as unknown when their session has ended since they were tried', async () => {
    const desk = await new Desk().opened();
    desk.put('a');
    const [first] = desk.take();
    first!.answered('unknown');
    desk.state.apply({ kind: 'session-close', id: 1n }, { index: 100, term: 1 });
    desk.time.advance(100);
    desk.apply(desk.take()[0]!);
    await desk.settled();
    expect(desk.ended).toEqual(['a: unknown']);
  });

  it('that were passed over by a snapshot are asked for again', async () => {
    const desk = await new Desk().opened();
    desk.put('a');
    const [a] = desk.take();
    const index = desk.state.appliedIndex + 1;
    desk.state.apply(commandOf(a!), { index, term: 1 });
    a!.answered({ ok: true, index, term: 1 });
    desk.time.advance(100);
    const [again] = desk.take();
    desk.apply(again!);
    await desk.settled();
    expect(desk.ended).toEqual(['a: txn']);
    expect(desk.state.revision).toBe(3);
  });

  it('have no more under way than the state keeps answers of', async () => {
    const desk = await new Desk().opened();
    for (let at = 0; at < 7; at += 1) desk.put(`k${at}`);
    const under = desk.take();
    expect(under.map(keyOf)).toEqual(['k0', 'k1', 'k2', 'k3']);
    desk.apply(under[1]!);
    expect(desk.take()).toEqual([]);
    desk.apply(under[0]!);
    expect(desk.take().map(keyOf)).toEqual(['k4', 'k5']);
  });

  it('are bounded in number and size', async () => {
    const desk = await new Desk({ maxCalls: 3, maxBytes: 200 }).opened();
    desk.put('large', 'x'.repeat(200));
    for (const key of ['a', 'b', 'c', 'd']) desk.put(key);
    await desk.settled();
    expect(desk.ended).toEqual(['large: refused', 'd: no']);
    for (const proposal of desk.take()) desk.apply(proposal);
    desk.put('e');
    expect(desk.take().map(keyOf)).toEqual(['e']);
  });

  it('end when the node stops, with what is known of each', async () => {
    const desk = await new Desk().opened();
    for (let at = 0; at < 5; at += 1) desk.put(`k${at}`);
    const [first] = desk.take();
    first!.answered({ ok: false, reason: 'stopped' });
    desk.calls.stop('over');
    desk.put('late');
    await desk.settled();
    expect(desk.ended.sort()).toEqual([
      'k0: no',
      'k1: unknown',
      'k2: unknown',
      'k3: unknown',
      'k4: no',
      'late: no',
    ]);
  });
});
