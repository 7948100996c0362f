import type { Distribution } from '@pawl/distribution';
import { ManualTime } from '@pawl/kernel';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { dependencies, type Dependencies } from './dependencies.js';
import { readinessChecks } from './readiness-checks.js';
import { watchDependencies } from './watch-dependencies.js';

const TTL_MS = 5_000;
/** So old an answer of the watch may be. */
const FRESH_MS = 1_000;

let flushes: { resolve: () => void; reject: (error: Error) => void }[];
let traffic: { connection: Distribution['connection'] };
let time: ManualTime;
let healthy: () => Promise<boolean>;
let distribution: {
  problem: string | null;
  connection: Distribution['connection'];
  shortOfCopies: string | null;
};

/** JetStream's answer, and what it is asked. */
let jetStream: () => Promise<object>;
const asked: string[] = [];
const request = async (subject: string) => {
  asked.push(subject);
  const answer = await jetStream();
  return { json: () => answer };
};

/** A connection on which nothing comes back until it is told to. */
function connection(): Distribution['connection'] {
  const flush = () =>
    new Promise<void>((resolve, reject) => void flushes.push({ resolve, reject }));
  return { flush, request } as unknown as Distribution['connection'];
}

/** One on which everything comes back at once. */
function answering(): Distribution['connection'] {
  return { flush: async () => undefined, request } as unknown as Distribution['connection'];
}

beforeEach(() => {
  time = new ManualTime();
  healthy = async () => true;
  flushes = [];
  distribution = { problem: null, connection: connection(), shortOfCopies: null };
  traffic = { connection: answering() };
  jetStream = async () => ({});
  asked.splice(0);
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

/** The check of that name, and what it reads. */
function checkOf(name: 'nats' | 'postgres') {
  const needs = dependencies({
    truth: { healthy: () => healthy() },
    distribution,
    traffic,
    settings: { installation: 'main', leaseTtlMs: TTL_MS },
    clock: time,
  });
  const checks = readinessChecks({
    dependencies: needs,
    distribution,
    metadata: { problem: async () => null },
    ownership: { nodeId: 'node-1', map: () => [] },
    leaving: () => false,
    engineStatus: () => ({
      ownedShards: 0,
      readOnlyShards: 0,
      servedShards: 0,
      pendingPublications: 0,
      liveConsumers: 0,
    }),
  });
  const found = checks.find((check) => check.name === name);
  return { needs, check: async () => found?.check() ?? 'is not checked' };
}

/** Asked each time when the newest answer is too old. */
function natsCheck(): () => Promise<string | null> {
  const { check } = checkOf('nats');
  return () => {
    time.advance(FRESH_MS + 1);
    return check();
  };
}

/** What the ownership is told, in order. */
function watch(needs: Dependencies): { readonly truth: unknown[]; readonly nats: unknown[] } {
  const told = { truth: [] as unknown[], nats: [] as unknown[] };
  const watching = watchDependencies({
    dependencies: needs,
    ownership: {
      setTruth: (problem) => void told.truth.push(problem),
      setDistribution: (problem) => void told.nats.push(problem),
    },
    leaseTtlMs: TTL_MS,
    timer: time,
  });
  onTestFinished(() => watching.stop());
  return told;
}

/** Lets the watch ask as often as it does. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    time.advance(Math.min(left, 250));
    await vi.advanceTimersByTimeAsync(0);
  }
}

describe('what the watch asks', () => {
  it('is read, and asked anew only when the newest answer is too old', async () => {
    let asked = 0;
    healthy = async () => (asked += 1) > 0;
    const { needs, check } = checkOf('postgres');
    expect([await check(), asked]).toEqual([null, 1]);
    time.advance(FRESH_MS);
    expect([await check(), asked]).toEqual([null, 1]);
    time.advance(1);
    expect([await check(), asked]).toEqual([null, 2]);
    const { truth } = watch(needs);
    await pass(10 * TTL_MS);
    const before = asked;
    expect([await check(), await check(), asked]).toEqual([null, null, before]);
    healthy = async () => false;
    await pass(TTL_MS / 10);
    expect([await check(), truth.at(-1)]).toEqual([
      'does not answer',
      'PostgreSQL does not answer',
    ]);
  });

  it('is waited for while it is under way, by all who want to know', async () => {
    const answers: ((fine: boolean) => void)[] = [];
    healthy = () => new Promise((resolve) => void answers.push(resolve));
    const { needs, check } = checkOf('postgres');
    watch(needs);
    const verdicts = [check(), check()];
    expect(answers).toHaveLength(1);
    answers[0]?.(true);
    expect(await Promise.all(verdicts)).toEqual([null, null]);
  });

  it('says how long JetStream has been without a leader, however seldom /readyz is asked', async () => {
    distribution.connection = answering();
    const { needs, check } = checkOf('nats');
    const { nats } = watch(needs);
    await pass(60_000);
    jetStream = () => Promise.reject(new Error('no leader'));
    distribution.problem = 'checking the streams: timeout';
    await pass(11_500);
    expect([await check(), nats.at(-1)]).toEqual([null, null]);
    await pass(1_000);
    expect([await check(), nats.at(-1)]).toEqual([
      'checking the streams: timeout',
      'NATS does not answer',
    ]);
    distribution.problem = null;
    expect(await check()).toBe('does not answer');
  });
});

describe('nats', () => {
  it('may be without JetStream for a while, not without an answer of the server', async () => {
    distribution.connection = answering();
    const check = natsCheck();
    expect(await check()).toBeNull();
    jetStream = () => Promise.reject(new Error('no leader'));
    distribution.problem = 'checking the streams: timeout';
    time.advance(12_000 - FRESH_MS - 1);
    expect(await check()).toBeNull();
    expect(await check()).toBe('checking the streams: timeout');
    distribution.problem = null;
    expect(await check()).toBe('does not answer');
    jetStream = async () => ({});
    expect(await check()).toBeNull();
    distribution.connection = connection();
    const verdict = check();
    flushes[0]?.reject(new Error('gone'));
    expect(await verdict).toBe('does not answer');
  });

  it('is fine when a round trip comes back', async () => {
    const check = natsCheck();
    const verdict = check();
    flushes[0]?.resolve();
    expect(await verdict).toBeNull();
    const second = check();
    expect(flushes).toHaveLength(2);
    flushes[1]?.resolve();
    expect(await second).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not answer when the server stands still, and is asked by one round trip only', async () => {
    const check = natsCheck();
    for (let asked = 0; asked < 3; asked += 1) {
      const verdict = check();
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await verdict).toBe('does not answer');
    }
    expect(flushes).toHaveLength(1);
    flushes[0]?.resolve();
    await vi.advanceTimersByTimeAsync(0);
    const verdict = check();
    flushes[1]?.resolve();
    expect(await verdict).toBeNull();
  });

  it('does not answer when the connection is lost meanwhile; another is asked anew', async () => {
    const check = natsCheck();
    const lost = check();
    flushes[0]?.reject(new Error('disconnected'));
    expect(await lost).toBe('does not answer');
    const waiting = check();
    distribution.connection = connection();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await waiting).toBe('does not answer');
    const anew = check();
    flushes[2]?.resolve();
    expect(await anew).toBeNull();
  });

  it('is what the distribution says it is, without a round trip', async () => {
    const check = natsCheck();
    distribution.problem = 'the streams are of another installation';
    expect(await check()).toBe('the streams are of another installation');
    distribution.problem = null;
    distribution.connection = undefined;
    expect(await check()).toBe('not connected');
    expect(flushes).toHaveLength(0);
  });

  const member = (active: number) => ({ name: 's', current: true, active });
  it.each([
    ['a server without a cluster', {}, null],
    ['no such stream', { error: { code: 404 } }, null],
    ['a leader that one of two others reaches', { replicas: [member(7e8), member(9e9)] }, null],
    ['a leader whom nobody has reached for long', { replicas: [member(4e9), member(9e9)] }],
    ['a stream without a leader', { leader: '', replicas: [member(7e8), member(7e8)] }],
    ['that it does not serve now', { error: { code: 503 } }],
  ])('says through JetStream: %s', async (_, says, problem: unknown = 'does not answer') => {
    distribution.connection = answering();
    const cluster = { leader: 'a', ...says };
    jetStream = async () => ('replicas' in says ? { cluster } : says);
    expect(await natsCheck()()).toBe(problem);
    expect(new Set(asked)).toEqual(new Set(['$JS.API.STREAM.INFO.PAWL_MAIN_SNAPSHOTS']));
  });

  it('does not answer when the server does and JetStream is silent', async () => {
    distribution.connection = answering();
    jetStream = () => new Promise(() => undefined);
    const verdict = natsCheck()();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await verdict).toBe('does not answer');
  });

  it('is asked on what commands and heartbeats arrive over too', async () => {
    distribution.connection = answering();
    traffic.connection = connection();
    const check = natsCheck();
    const verdict = check();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await verdict).toBe('does not answer');
    traffic.connection = answering();
    expect(await check()).toBeNull();
    traffic.connection = undefined;
    expect(await check()).toBe('not connected');
  });
});
