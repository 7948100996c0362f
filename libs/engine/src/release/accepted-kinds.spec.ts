import type { AddressText } from '@pawl/contracts';
import { expect, it } from 'vitest';
import type { Incarnation } from '../status/incarnation.js';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { AcceptedKinds } from './accepted-kinds.js';
import type { Reading } from './accepted-kinds.js';
import { PreflightStage } from './preflight-stage.js';

function process(workload: string, build: string | null = null): Incarnation {
  return { ref: { root: 'acme', workload, consumerId: 'c1' }, build } as Incarnation;
}

const APP = 'acme/app' as AddressText;
const read = (one: Incarnation, hash: string, address = APP): Reading => ({ one, address, hash });

const nobody = (): void => undefined;

it('knows which workloads and builds accepted which document of which release', () => {
  const accepted = new AcceptedKinds();
  accepted.add('r1', [read(process('shop', 'b1'), 'h1')], nobody);
  expect(accepted.has('r1', read(process('shop', 'b1'), 'h1'))).toBe(true);
  expect(accepted.has('r1', read(process('shop', 'b2'), 'h1'))).toBe(false);
  expect(accepted.has('r1', read(process('shop'), 'h1'))).toBe(false);
  expect(accepted.has('r1', read(process('till', 'b1'), 'h1'))).toBe(false);
  expect(accepted.has('r1', read(process('shop', 'b1'), 'h2'))).toBe(false);
  expect(accepted.has('r2', read(process('shop', 'b1'), 'h1'))).toBe(false);
});

it('knows it of the address where they were asked only: elsewhere another judges', () => {
  const accepted = new AcceptedKinds();
  const elsewhere = 'acme/other' as AddressText;
  accepted.add('r1', [read(process('shop'), 'h1')], nobody);
  expect(accepted.has('r1', read(process('shop'), 'h1', elsewhere))).toBe(false);
  accepted.add('r1', [read(process('shop'), 'h1', elsewhere)], nobody);
  expect(accepted.has('r1', read(process('shop'), 'h1', elsewhere))).toBe(true);
  expect(accepted.countOf('r1')).toBe(2);
});

it('forgets with the release', () => {
  const accepted = new AcceptedKinds();
  for (const id of ['r1', 'r2']) accepted.add(id, [read(process('shop'), 'h1')], nobody);
  accepted.keepOnly(new Set(['r2']));
  expect(accepted.countOf('r1')).toBe(0);
  expect(accepted.has('r2', read(process('shop'), 'h1'))).toBe(true);
});

it('forgets with the release once no owner has it under way', () => {
  const accepted = new AcceptedKinds();
  accepted.add('r1', [read(process('shop'), 'h1')], nobody);
  const stage = new PreflightStage({} as EngineContext, {} as never);
  stage.keepOnly({ accepted } as OwnedRoot, []);
  expect(accepted.countOf('r1')).toBe(0);
});

it('keeps of many only what somebody would still read', () => {
  const accepted = new AcceptedKinds(3);
  const shop = process('shop');
  const former = ['h1', 'h2', 'h3'].map((hash) => read(shop, hash));
  accepted.add('r1', former, nobody);
  expect(accepted.countOf('r1')).toBe(3);
  accepted.add('r1', [read(shop, 'h4')], (tell) => {
    tell(read(shop, 'h3'));
    tell(read(shop, 'h4'));
    tell(read(process('till'), 'h4'));
  });
  expect(accepted.countOf('r1')).toBe(2);
  expect(accepted.has('r1', read(shop, 'h3')) && accepted.has('r1', read(shop, 'h4'))).toBe(true);
  expect(accepted.has('r1', read(process('till'), 'h4'))).toBe(false);
});
