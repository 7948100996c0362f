import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HEALTH_SPANS, LATENCY_BUCKETS, LIMITS, parseAddress } from '@pawl/contracts';
import type { Hello, HelloRun } from '@pawl/contracts';
import { parseMessage } from '@pawl/contracts/validate';
import { composeHello, fitsHello } from './hello-message.js';
import type { Identity } from './identity.js';

const SEED = 20_261_120;

/** `count` different addresses below one root, each `length` long: 12 at least, 575 at most. */
function addresses(count: number, length: number): string[] {
  const root = length > 500 ? 'a'.repeat(63) : 'acme';
  const name = Math.min(63, length - root.length - 1);
  let path = root;
  for (
    let left = length - root.length - 1 - name;
    left > 1;
    left = length - path.length - 1 - name
  ) {
    path += `/${'b'.repeat(Math.min(63, left - 1))}`;
  }
  const texts = Array.from({ length: count }, (_, n) => `${path}:${String(n).padStart(name, '0')}`);
  for (const text of texts) expect(parseAddress(text)).toMatchObject({ ok: true });
  return texts;
}

/** What takes 1 to 6 bytes each in JSON, lone surrogates among it. */
const character = fc.constantFrom('a', '"', '\\', '\n', '\u0000', 'é', '\u2028', '\ud800', '😀');
const text = (maxLength: number) =>
  fc.tuple(character, fc.integer({ min: 0, max: maxLength })).map(([each, length]) => {
    return each.repeat(length).slice(0, maxLength);
  });
const count = fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER);
const version = fc.constantFrom(1, Number.MAX_SAFE_INTEGER);
const spoken = fc.record({
  span: version,
  generation: version,
  version,
  requests: count,
  errors: count,
  latency: fc.array(count, { maxLength: LATENCY_BUCKETS }),
});
const run = fc.record(
  {
    generation: count,
    version: count,
    hash: fc.constant('0'.repeat(64)),
    highestVersion: count,
    rejected: fc.record({ generation: version, version, reason: text(2_048) }),
    health: fc.array(spoken, { minLength: 1, maxLength: HEALTH_SPANS }),
  },
  { requiredKeys: ['generation', 'version'] },
);
const identity: fc.Arbitrary<Identity> = fc
  .record({
    incarnation: fc.constant('i'.repeat(64)),
    labels: fc.integer({ min: 0, max: 16 }).chain((size) =>
      fc.tuple(text(120), text(128)).map(([name, value]) => {
        const pairs = Array.from({ length: size }, (_, n) => [`${n} ${name}`, value] as const);
        return Object.fromEntries(pairs);
      }),
    ),
    build: fc.option(text(128), { nil: undefined }),
  })
  .map((given) => ({ consumerId: 'c', ...given }));

/** As many addresses as are accepted, one opened after the other. */
function accepted(of: Identity, wanted: readonly string[]): readonly string[] {
  let [fit, tooMany] = [0, wanted.length + 1];
  while (tooMany - fit > 1) {
    const middle = Math.floor((fit + tooMany) / 2);
    if (fitsHello(of, wanted.slice(0, middle))) fit = middle;
    else tooMany = middle;
  }
  return wanted.slice(0, fit);
}

const bytesOf = (hello: Hello): number => Buffer.byteLength(JSON.stringify(hello));

describe('a heartbeat', () => {
  it('fits, whatever was accepted and rejected, and names all of it', () => {
    const shape = fc.record({
      identity,
      length: fc.integer({ min: 20, max: 575 }),
      wanted: fc.integer({ min: 0, max: 1_010 }),
      runs: fc.array(run, { minLength: 1, maxLength: 4 }),
      leaving: fc.boolean(),
    });
    const holds = fc.property(shape, ({ identity: of, length, wanted, runs, leaving }) => {
      const open = accepted(of, addresses(wanted, length));
      const said: HelloRun[] = open.map((address, n) => ({
        address,
        ...runs[n % runs.length]!,
      }));
      const hello = composeHello(of, said, leaving);
      expect(bytesOf(hello)).toBeLessThanOrEqual(LIMITS.trafficBytes);
      expect(parseMessage('hello', JSON.parse(JSON.stringify(hello)))).toMatchObject({ ok: true });
      const facts = ({ rejected, health: _, ...rest }: HelloRun) => [
        rest,
        rejected?.generation,
        rejected?.version,
      ];
      expect(hello.runs.map(facts)).toEqual(said.map(facts));
      for (const [n, { rejected, health }] of hello.runs.entries()) {
        expect([undefined, [], said[n]?.health]).toContainEqual(health);
        const reason = (said[n]?.rejected?.reason ?? '').replace(/[\ud800-\udfff]/gu, '\ufffd');
        expect(reason.startsWith((rejected?.reason ?? '').replace(/\ufffd$/, ''))).toBe(true);
      }
    });
    fc.assert(holds, { seed: SEED, numRuns: 60 });
  });

  const plain: Identity = { consumerId: 'c', incarnation: 'i', labels: {}, build: undefined };
  const rejecting = (address: string, reason: string): HelloRun => ({
    address,
    generation: 1,
    version: 1,
    rejected: { generation: 1, version: 2, reason },
  });

  it('fits at its longest', () => {
    const texts = Array.from({ length: 16 }, (_, n) => `${n}${'\u0001'.repeat(120)}`);
    const labels = Object.fromEntries(texts.map((each) => [each, each]));
    const longest: Identity = { ...plain, incarnation: 'i'.repeat(64), labels, build: texts[0] };
    const highest = Number.MAX_SAFE_INTEGER;
    const said = accepted(longest, addresses(1_000, 575)).map((address) => ({
      address,
      generation: highest,
      version: highest,
      hash: 'a'.repeat(64),
      highestVersion: highest,
      rejected: { generation: highest, version: highest, reason: '\u0001'.repeat(2_048) },
    }));
    expect(bytesOf(composeHello(longest, said, true))).toBeLessThanOrEqual(LIMITS.trafficBytes);
  });

  it('takes 1,000 addresses of ordinary length, and not one more', () => {
    expect(fitsHello(plain, addresses(1_000, 60))).toBe(true);
    expect(fitsHello(plain, addresses(1_001, 20))).toBe(false);
  });

  it('takes hundreds of the longest, with the start of every reason', () => {
    const open = accepted(plain, addresses(1_000, 575));
    expect(open.length).toBeGreaterThan(500);
    expect(open.length).toBeLessThan(1_000);
    const hello = composeHello(
      plain,
      open.map((address) => rejecting(address, '\u0000'.repeat(2_000))),
      false,
    );
    expect(bytesOf(hello)).toBeLessThanOrEqual(LIMITS.trafficBytes);
    for (const { rejected } of hello.runs) expect(rejected?.reason).toMatch(/^\0{10,}$/);
  });

  it('tells cohorts while there is room for all of them, and none otherwise', () => {
    const cohort = ['a', 'b', 'c'].map((id) => id.repeat(128)).join('+');
    const running = (count: number): HelloRun[] =>
      addresses(count, 200).map((address) => ({ address, generation: 1, version: 1, cohort }));
    expect(composeHello(plain, running(800), false).runs).toEqual(running(800));
    const crowded = composeHello(plain, running(1_000), false);
    expect(parseMessage('hello', crowded)).toMatchObject({ ok: true });
    expect(crowded.runs).toEqual(running(1_000).map(({ cohort: _, ...run }) => run));
    expect(bytesOf(crowded)).toBeLessThanOrEqual(LIMITS.trafficBytes);
  });

  it('leaves out the longest reports of health where there is no room for all of them', () => {
    const counts = { span: 1, generation: 1, version: 1, requests: 1_000_000, errors: 0 };
    const full = Array.from({ length: LATENCY_BUCKETS }, () => 1_000_000_000);
    const running = (count: number): HelloRun[] =>
      addresses(1_000, 60).map((address, n) => ({
        ...{ address, generation: 1, version: 1 },
        health: [{ ...counts, latency: n < count ? full : [n] }],
      }));
    expect(composeHello(plain, running(100), false).runs).toEqual(running(100));
    const crowded = composeHello(plain, running(900), false);
    expect(bytesOf(crowded)).toBeLessThanOrEqual(LIMITS.trafficBytes);
    expect(crowded.runs.slice(900)).toEqual(running(900).slice(900));
    const told = crowded.runs.filter((one) => one.health?.length === 1).length;
    expect(crowded.runs.filter((one) => one.health?.length === 0)).toHaveLength(1_000 - told);
    expect(told).toBeGreaterThan(600);
    expect(told).toBeLessThan(1_000);
  });

  it('cuts no reason for which there is room', () => {
    const reason = 'maxItems is "too high": 😀'.repeat(4);
    const runs = addresses(100, 40).map((address) => rejecting(address, reason));
    expect(composeHello(plain, runs, false).runs).toEqual(runs);
  });
});
