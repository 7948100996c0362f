import { describe, expect, it } from 'vitest';
import { SimulatedTime } from '../testing/simulated-time.js';
import { LeaderLine } from './leader-line.js';
import { decodeRequest, encodeAnswer } from './peer-codec.js';
import type { PeerAnswer, PeerRequest } from './peer-codec.js';
import type { LogStatus } from './replicated-log.port.js';
import { StatusBoard } from './status-board.js';

const QUESTION = { kind: 'lease-time', id: 7n } as const;
const ANSWER: PeerAnswer = { kind: 'lease-time', remainingMs: 12 };
const statusOf = (leader: string | null) => ({ nodeId: 'self', leader }) as LogStatus;

/** A line over nodes that answer as `nodes` says; one that is not there never does. */
function desk(leader: string | null, nodes: Record<string, () => PeerAnswer> = {}) {
  const time = new SimulatedTime();
  const board = new StatusBoard(statusOf(leader), time);
  const asked: string[] = [];
  const answerOf = (id: string, question: PeerRequest): Promise<PeerAnswer> => {
    asked.push(`${id} ${question.kind}`);
    const node = nodes[id];
    return node === undefined ? new Promise(() => undefined) : Promise.resolve().then(node);
  };
  const line = new LeaderLine({
    clock: time,
    timer: time,
    board,
    timeoutMs: 5000,
    log: {
      request: (to, body, withinMs) =>
        new Promise((resolve, reject) => {
          time.after(withinMs, () => reject(new Error('no answer')));
          answerOf(to, decodeRequest(body)).then((it) => resolve(encodeAnswer(it)), reject);
        }),
    },
    serve: (question) => answerOf('self', question),
  });
  const lead = (id: string | null): void => {
    board.set(statusOf(id));
    line.leaderChanged();
  };
  return { time, board, asked, line, lead };
}

describe('the leader', () => {
  it('is asked where it is, also where that is this node', async () => {
    for (const leader of ['x', 'self']) {
      const { line, time, asked } = desk(leader, { [leader]: () => ANSWER });
      expect(await time.wait(line.ask(QUESTION, 'no'))).toEqual(ANSWER);
      expect(asked).toEqual([`${leader} lease-time`]);
    }
  });

  it('is waited for, and another one asked as soon as there is one', async () => {
    const { line, time, asked, lead } = desk(null, { y: () => ANSWER });
    const answer = line.ask(QUESTION, 'no');
    await time.advance(1000);
    lead('dead');
    await time.advance(10);
    lead('y');
    expect(await time.wait(answer)).toEqual(ANSWER);
    expect(asked).toEqual(['dead lease-time', 'y lease-time']);
    expect(time.monotonicMs()).toBeLessThan(1100);
  });

  it('is asked again when it does not lead yet, fails, or is silent for a second', async () => {
    const answers: (() => PeerAnswer)[] = [
      () => ({ kind: 'not-leader' }),
      () => {
        throw new Error('not now');
      },
      () => ANSWER,
    ];
    const { line, time, asked } = desk('x', { x: () => answers.shift()!() });
    expect(await time.wait(line.ask(QUESTION, 'no'))).toEqual(ANSWER);
    expect(asked).toHaveLength(3);
    for (const leader of ['x', 'self']) {
      const silent = desk(leader);
      await expect(silent.time.wait(silent.line.ask(QUESTION, 'unknown'))).rejects.toMatchObject({
        done: 'unknown',
      });
      expect(silent.asked.length).toBeGreaterThan(3);
      expect(silent.time.monotonicMs()).toBeLessThan(5100);
    }
  });

  it('is not waited for beyond the deadline, nor when this node stops', async () => {
    const { line, time } = desk(null);
    await expect(time.wait(line.ask(QUESTION, 'no'))).rejects.toMatchObject({ done: 'no' });
    expect(time.monotonicMs()).toBe(5000);
    const stopping = desk(null);
    const asking = stopping.line.ask(QUESTION, 'no');
    stopping.board.close();
    await expect(stopping.time.wait(asking)).rejects.toMatchObject({ done: 'no' });
    expect(stopping.time.monotonicMs()).toBe(0);
  });
});
