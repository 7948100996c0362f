import { ManualTime } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { textToBytes, bytesToText } from '../text.js';
import { ProposalLine } from './proposal-line.js';
import type { LogOutcome, LogStatus } from './replicated-log.port.js';
import { StatusBoard } from './status-board.js';

interface Request {
  readonly leader: string;
  readonly commands: readonly string[];
  readonly resolve: (outcomes: readonly LogOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/** A line whose leader is `leader`; the test answers its requests. */
class Desk {
  readonly requests: Request[] = [];
  readonly proposed: string[] = [];
  readonly told: string[] = [];
  readonly board: StatusBoard;
  readonly line: ProposalLine;

  constructor(leader: string | null) {
    this.board = new StatusBoard({ nodeId: 'self', leader } as LogStatus, new ManualTime());
    this.line = new ProposalLine({
      board: this.board,
      log: {
        propose: (command) => {
          this.proposed.push(bytesToText(command));
          return { ok: true, index: this.proposed.length, term: 1 };
        },
      },
      ask: (asked, commands) =>
        new Promise((resolve, reject) => {
          this.requests.push({
            leader: asked,
            commands: commands.map(bytesToText),
            resolve,
            reject,
          });
        }),
    });
  }

  offer(...names: string[]): void {
    for (const name of names) {
      this.line.offer({
        bytes: textToBytes(name),
        answered: (outcome) => {
          const what =
            outcome === 'unknown' ? outcome : outcome.ok ? outcome.index : outcome.reason;
          this.told.push(`${name}: ${what}`);
        },
      });
    }
  }

  async settled(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  }
}

const taken = (index: number): LogOutcome => ({ ok: true, index, term: 1 });

describe('proposals', () => {
  it('go into the log at once where this node leads, and nowhere where nobody does', () => {
    const leading = new Desk('self');
    leading.offer('a', 'b');
    expect(leading.told).toEqual(['a: 1', 'b: 2']);
    const lost = new Desk(null);
    lost.offer('a');
    expect(lost.told).toEqual(['a: not-leader']);
    expect(lost.requests).toEqual([]);
  });

  it('travel together while the line is busy, and are answered each in its place', async () => {
    const desk = new Desk('x');
    desk.offer('a', 'b', 'c', 'd');
    expect(desk.requests.map(({ commands }) => commands)).toEqual([['a'], ['b']]);
    desk.requests[0]?.resolve([taken(7)]);
    await desk.settled();
    expect(desk.requests[2]).toMatchObject({ leader: 'x', commands: ['c', 'd'] });
    desk.requests[2]?.resolve([{ ok: false, reason: 'overloaded' }, taken(9)]);
    await desk.settled();
    expect(desk.told).toEqual(['a: 7', 'c: overloaded', 'd: 9']);
  });

  it('of many or large ones travel with several requests', async () => {
    const desk = new Desk('x');
    desk.offer('a', 'b', 'x'.repeat(300_000), 'y'.repeat(300_000), 'z'.repeat(600_000));
    for (let at = 0; at < 5; at += 1) {
      desk.requests[at]?.resolve([taken(at)]);
      await desk.settled();
    }
    expect(desk.requests.map(({ commands }) => commands.map((each) => each[0]))).toEqual(
      ['a', 'b', 'x', 'y', 'z'].map((name) => [name]),
    );
    const many = new Desk('x');
    many.offer('a', 'b', ...Array.from({ length: 600 }, (_, at) => `${at}`));
    many.requests[0]?.resolve([taken(1)]);
    await many.settled();
    expect(many.requests[2]?.commands).toHaveLength(512);
  });

  it('are surely undone when the request was not sent or was refused, else unknown', async () => {
    const desk = new Desk('x');
    for (const outcome of ['unsent', 'refused', 'unknown', undefined]) {
      desk.offer(`${outcome}`);
      desk.requests.at(-1)?.reject({ outcome });
      await desk.settled();
    }
    desk.offer('short');
    desk.requests.at(-1)?.resolve([]);
    await desk.settled();
    expect(desk.told).toEqual([
      'unsent: not-leader',
      'refused: not-leader',
      'unknown: unknown',
      'undefined: unknown',
      'short: unknown',
    ]);
  });

  it('are not waited for any more when another node leads', async () => {
    const desk = new Desk('x');
    desk.offer('a', 'b', 'waits');
    desk.board.set({ nodeId: 'self', leader: 'y' } as LogStatus);
    desk.line.leaderChanged();
    expect(desk.told).toEqual(['a: unknown', 'b: unknown', 'waits: not-leader']);
    desk.requests[0]?.resolve([taken(1)]);
    await desk.settled();
    desk.offer('c');
    expect(desk.requests.at(-1)).toMatchObject({ leader: 'y', commands: ['c'] });
    expect(desk.told).toHaveLength(3);
  });
});
