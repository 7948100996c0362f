import { NatsContext } from '@nestjs/microservices';
import { ABSENT_HASH } from '@pawl/contracts';
import type { Vote } from '@pawl/contracts';
import type { ConsumerRef } from '@pawl/engine';
import { beforeEach, describe, expect, it } from 'vitest';
import { DroppedMessages } from './dropped-messages.js';
import { VoteController } from './vote.controller.js';

const VOTE: Vote = {
  ...{ format: 1, incarnation: 'i1' },
  items: [{ id: 'p1', address: 'acme/prod', hash: ABSENT_HASH, verdict: 'accept' }],
};

let votes: [ConsumerRef, Vote][];
let drops: string[];
let controller: VoteController;

beforeEach(() => {
  [votes, drops] = [[], []];
  const traffic = {
    hello: () => Promise.resolve(undefined),
    ack: () => undefined,
    vote: (from: ConsumerRef, vote: Vote) => {
      votes.push([from, vote]);
      if (from.workload === 'broken') throw new Error('no room');
    },
  };
  const dropped = new DroppedMessages({ onDrop: (kind, why) => drops.push(`${kind} ${why}`) });
  controller = new VoteController(traffic, dropped);
});

function arrive(from: string, data: unknown): void {
  controller.vote(data, new NatsContext([`pawl.main.vote.${from}`, undefined]));
}

describe('votes', () => {
  it('reach the owner with who sent them', () => {
    arrive('acme.checkout.c1', VOTE);
    expect(votes).toEqual([[{ root: 'acme', workload: 'checkout', consumerId: 'c1' }, VOTE]]);
    expect(drops).toEqual([]);
  });

  it.each([
    ['that are no votes', 'acme.checkout.c1', { ...VOTE, items: [] }],
    ['of another format', 'acme.checkout.c1', { ...VOTE, format: 2 }],
    [
      'with another verdict',
      'acme.w.c',
      { ...VOTE, items: [{ ...VOTE.items[0], verdict: 'yes' }] },
    ],
    ['of nobody', 'acme.checkout', VOTE],
    ['of a consumer with another name', 'acme.checkout.c 1', VOTE],
  ])('%s are dropped', (_, from, data) => {
    arrive(from, data);
    expect(votes).toEqual([]);
    expect(drops).toEqual(['vote malformed']);
  });

  it('that the owner fails at stop nothing', () => {
    arrive('acme.broken.c1', VOTE);
    arrive('acme.checkout.c1', VOTE);
    expect(votes).toHaveLength(2);
    expect(drops).toEqual(['vote failed']);
  });
});
