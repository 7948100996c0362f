import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  changed,
  decodeConfiguration,
  encodeConfiguration,
  foundedBy,
  isJoint,
  isVoter,
  members,
  quorumIndex,
  settled,
  voteResult,
} from './configuration.js';
import type { Configuration } from './configuration.js';

const NODES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const CASES = 10_000;

const voters = fc.subarray(NODES, { minLength: 1 });
const some = fc.subarray(NODES);
const outgoing = fc.oneof(fc.constant<string[]>([]), voters);

function configurationOf(now: readonly string[], before: readonly string[]): Configuration {
  return { ...foundedBy(now), outgoing: foundedBy(before).voters };
}

/** The definition: some set of nodes that agree is more than half of every half that counts. */
function someMajorityIn(
  configuration: Configuration,
  agreeing: (node: string) => boolean,
): boolean {
  return [configuration.voters, configuration.outgoing].every((half) => {
    let agree = 0;
    for (const node of half) if (agreeing(node)) agree += 1;
    return half.length === 0 || 2 * agree > half.length;
  });
}

describe('majorities against their definition', () => {
  it('the quorum index is the highest that a majority of each half holds', () => {
    const held = fc.array(fc.nat(9), { minLength: NODES.length, maxLength: NODES.length });
    const property = fc.property(voters, outgoing, held, (now, before, indexes) => {
      const configuration = configurationOf(now, before);
      const heldBy = (node: string): number => indexes[NODES.indexOf(node)] ?? 0;
      let highest = 0;
      for (let index = 1; index <= 9; index += 1) {
        if (someMajorityIn(configuration, (node) => heldBy(node) >= index)) highest = index;
      }
      return quorumIndex(configuration, heldBy) === highest;
    });
    fc.assert(property, { numRuns: CASES });
  });

  it('a vote is won, lost or open as it would be with the missing answers either way', () => {
    const answer = fc.constantFrom(true, false, undefined);
    const answers = fc.array(answer, { minLength: NODES.length, maxLength: NODES.length });
    const property = fc.property(voters, outgoing, answers, (now, before, given) => {
      const configuration = configurationOf(now, before);
      const voteOf = (node: string): boolean | undefined => given[NODES.indexOf(node)];
      const ifAll = (missing: boolean): boolean =>
        someMajorityIn(configuration, (node) => voteOf(node) ?? missing);
      const wanted = ifAll(false) ? 'won' : ifAll(true) ? 'pending' : 'lost';
      return voteResult(configuration, voteOf) === wanted;
    });
    fc.assert(property, { numRuns: CASES });
  });
});

describe('the laws of a change', () => {
  const start = fc.tuple(voters, some).map(([now, more]) => ({
    ...foundedBy(now),
    learners: more.filter((node) => !now.includes(node)).sort(),
  }));
  /** What is done to each node, so that nearly every change is one that can be carried out. */
  const what = fc.constantFrom('addVoters', 'addLearners', 'remove', undefined);
  const change = fc
    .array(what, { minLength: NODES.length, maxLength: NODES.length })
    .map((done) => {
      const of = (kind: string) => NODES.filter((_node, at) => done[at] === kind);
      return { addVoters: of('addVoters'), addLearners: of('addLearners'), remove: of('remove') };
    });
  const each = (
    law: (
      now: Configuration,
      next: Configuration,
      wanted: Required<ReturnType<typeof lists>>,
    ) => void,
  ): void => {
    let carriedOut = 0;
    const property = fc.property(start, change, (now, wanted) => {
      const next = changed(now, wanted);
      if (next === null) return;
      carriedOut += 1;
      law(now, next, wanted);
    });
    fc.assert(property, { numRuns: 3_000 });
    expect(carriedOut).toBeGreaterThan(2_000);
  };
  function lists(): { addVoters: string[]; addLearners: string[]; remove: string[] } {
    return { addVoters: [], addLearners: [], remove: [] };
  }

  it('ends in what was wanted, and with a voter', () => {
    each((_now, next, { addVoters, addLearners, remove }) => {
      const end = settled(next);
      expect(isJoint(end)).toBe(false);
      expect(end.voters.length).toBeGreaterThan(0);
      expect(addVoters.every((node) => end.voters.includes(node))).toBe(true);
      expect(addLearners.every((node) => end.learners.includes(node))).toBe(true);
      expect(remove.some((node) => members(end).includes(node))).toBe(false);
    });
  });

  it('leaves alone who is not named', () => {
    each((now, next, { addVoters, addLearners, remove }) => {
      const end = settled(next);
      const named = new Set([...addVoters, ...addLearners, ...remove]);
      for (const node of NODES.filter((one) => !named.has(one))) {
        expect(isVoter(end, node)).toBe(isVoter(now, node));
        expect(end.learners.includes(node)).toBe(now.learners.includes(node));
      }
    });
  });

  it('keeps voters and learners apart, also those that are learners next', () => {
    each((_now, next) => {
      for (const node of next.learners) expect(isVoter(next, node)).toBe(false);
      for (const node of next.learnersNext) expect(next.outgoing).toContain(node);
      const end = settled(next);
      expect(end.voters.some((node) => end.learners.includes(node))).toBe(false);
    });
  });

  it('any majority on the way meets any majority before and after it', () => {
    each((now, next) => {
      const end = settled(next);
      const apart: number[] = [];
      for (let set = 0; set < 2 ** NODES.length; set += 1) {
        const within = (node: string): boolean => (set & (1 << NODES.indexOf(node))) !== 0;
        if (!someMajorityIn(next, within)) continue;
        const meets = (other: Configuration): boolean =>
          !someMajorityIn(other, (node) => !within(node));
        if (!meets(now) || !meets(end)) apart.push(set);
      }
      expect(apart).toEqual([]);
    });
  }, 60_000);

  it('comes back from its bytes as it was', () => {
    each((_now, next) => {
      expect(decodeConfiguration(encodeConfiguration(next))).toEqual(next);
    });
  });

  it('is refused while a joint configuration counts', () => {
    each((_now, next, wanted) => {
      if (isJoint(next)) expect(changed(next, wanted)).toBeNull();
    });
  });
});
