import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SnapshotInput, SnapshotRelease } from '@pawl/contracts';
import { parseMessage } from '@pawl/contracts/validate';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from './connect.js';
import { ADDRESS, makeRelease } from './testing/make-snapshot.js';
import type { SnapshotRecipe } from './testing/make-snapshot.js';
import { NatsProcess } from './testing/nats-process.js';
import { TinyOwner } from './testing/tiny-owner.js';
import type { Pawl, Scope } from './types.js';

let nats: NatsProcess;
let owner: TinyOwner;
let cacheDir: string;
const pawls: Pawl[] = [];

const client = async (): Promise<Pawl> => {
  const pawl = await connect({
    ...{ servers: nats.url, workload: 'checkout', consumerId: 'c1', cacheDir, ackWindowMs: 20 },
    ...{ openTimeoutMs: 60_000, labels: { region: 'eu' } },
  });
  pawls.push(pawl);
  return pawl;
};
const kind = (scope: Scope): string => scope.get('kind', '');
/** Resolves once that runs at that version. */
const runs = (scope: Scope, version: number, wanted: string) =>
  new Promise<void>((resolve) => {
    const look = () =>
      scope.version === version && kind(scope) === wanted ? resolve() : undefined;
    scope.on('applied', look);
    look();
  });
const acked = (version: number, cohort: string | undefined) =>
  owner.until(() =>
    owner.acks.some(
      (ack) => ack.version === version && ack.state === 'applied' && ack.cohort === cohort,
    ),
  );

const layer = (definitionVersion: number, extra: Partial<SnapshotInput> = {}): SnapshotInput => ({
  ...{ address: ADDRESS, definitionVersion, releaseVersion: 1, loweredAt: null },
  ...extra,
});
const taking = (...slots: number[]): SnapshotRelease['stages'][number] => ({
  ...{ basisPoints: 0, selector: { region: ['eu'] } },
  named: slots.map((slot) => `checkout/${slot}`),
});
/** Release r1 of definition version 2 over 1 with these stages; `fill` makes contents large. */
const staged = (version: number, stages: SnapshotRelease['stages'], fill = ''): SnapshotRecipe => ({
  version,
  inputs: [layer(1, { releaseVersion: version, candidate: 2 })],
  releases: [makeRelease('r1', 0, { stages })],
  document: { kind: 'stable', fill },
  cohorts: { r1: { kind: 'candidate', fill } },
});

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'pawl-sdk-cohorts-'));
  nats = await NatsProcess.create();
  await nats.start();
  owner = await TinyOwner.start(nats.url);
});
afterEach(async () => {
  await Promise.all(pawls.splice(0).map((pawl) => pawl.close()));
  await owner.connection.close();
  await nats.remove();
  await rm(cacheDir, { recursive: true, force: true });
});

describe('a staged release', () => {
  it('reaches a consumer with its stage, and takes it back with the abort', async () => {
    owner.slot = 2;
    await owner.publish({ version: 1, inputs: [layer(1)], document: { kind: 'stable' } });
    const scope = await (await client()).open(ADDRESS);
    await owner.until(() => owner.hellos.length > 0);
    await owner.publish(staged(2, [taking(1)]));
    await runs(scope, 2, 'stable');
    await acked(2, undefined);
    await owner.publish(staged(3, [taking(1), taking(2)]));
    await runs(scope, 3, 'candidate');
    await acked(3, 'r1');
    await owner.until(() =>
      owner.hellos.some(({ runs: [run] }) => run?.version === 3 && run.cohort === 'r1'),
    );
    const rejected: string[] = [];
    scope.on('rejected', ({ reason }) => rejected.push(reason));
    const forged = [layer(1, { releaseVersion: 9 })];
    await owner.publish({ version: 4, inputs: forged, document: { kind: 'forged' } });
    await owner.until(() => owner.acks.some(({ state }) => state === 'rejected'));
    expect(rejected).toEqual([
      expect.stringMatching(/was at definition version 2 .* at version 1/),
    ]);
    expect([kind(scope), scope.cohort]).toEqual(['candidate', 'r1']);
    const aborted = [layer(1, { releaseVersion: 9, loweredAt: 9 })];
    await owner.publish({ version: 5, inputs: aborted, document: { kind: 'stable' } });
    await runs(scope, 5, 'stable');
    expect(scope.cohort).toBe('');
    await acked(5, undefined);
  });

  it('has what the service reports counted by version and cohort, until the last heartbeat', async () => {
    owner.slot = 1;
    await owner.publish({ version: 1, inputs: [layer(1)], document: { kind: 'stable' } });
    const pawl = await client();
    const scope = await pawl.open(ADDRESS);
    scope.health.report({ latencyMs: 1 });
    await owner.publish(staged(2, [taking(1)]));
    await runs(scope, 2, 'candidate');
    await scope.health.time(async () => undefined);
    scope.health.report({ errors: 1 });
    const said = (): unknown[] => owner.hellos.flatMap(({ runs: [run] }) => run?.health ?? []);
    const stable = { ...{ span: 1, generation: 1, version: 1 }, requests: 1, errors: 0 };
    const candidate = { ...{ span: 2, generation: 1, version: 2, cohort: 'r1' }, errors: 1 };
    await owner.until(() => said().some((each) => (each as { span: number }).span === 2));
    scope.health.report({ requests: 3 });
    await pawl.close();
    await owner.until(() => owner.hellos.at(-1)?.leaving === true);
    expect(said()).toContainEqual({ ...stable, latency: [0, 0, 1] });
    expect(said().at(-1)).toMatchObject({ ...candidate, requests: 5 });
    for (const hello of owner.hellos)
      expect(parseMessage('hello', hello)).toMatchObject({ ok: true });
  });

  it('is left and joined with the slot, contents fetched by their hashes', async () => {
    owner.slot = 1;
    await owner.publish(staged(1, [taking(1)], 'x'.repeat(20_000)));
    const pawl = await client();
    const scope = await pawl.open(ADDRESS);
    await runs(scope, 1, 'candidate');
    await acked(1, 'r1');
    owner.acks.length = 0;
    owner.slot = 2;
    await runs(scope, 1, 'stable');
    await acked(1, undefined);
    owner.acks.length = 0;
    owner.slot = 1;
    await runs(scope, 1, 'candidate');
    await acked(1, 'r1');
    expect(owner.acks.every(({ state }) => state === 'applied')).toBe(true);
  });

  it('is what a consumer starts with that was reached, while nobody answers', async () => {
    owner.slot = 1;
    await owner.publish(staged(1, [taking(1)]));
    const first = await client();
    await runs(await first.open(ADDRESS), 1, 'candidate');
    await first.close();
    await nats.kill();
    const second = await client();
    const scope = await second.open(ADDRESS);
    expect([scope.version, kind(scope)]).toEqual([1, 'candidate']);
    owner.answers = false;
    owner.acks.length = 0;
    await nats.start();
    await owner.reconnected();
    await owner.publish(staged(2, [taking(1)]));
    await runs(scope, 2, 'candidate');
    await acked(2, 'r1');
    owner.slot = 3;
    owner.answers = true;
    await runs(scope, 2, 'stable');
    await acked(2, undefined);
    expect(owner.acks.every(({ state }) => state === 'applied')).toBe(true);
  });
});
