import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MergeView, WrittenView } from '@pawl/contracts';
import type { Scope } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import { runPawl, type RanPawl } from '../support/run-pawl.js';
import { startStack, type TestStack } from '../support/stack.js';

interface Config {
  readonly max: number;
  readonly url: string;
}

/** Two teams: their roots, and so perhaps their owners, are different ones. */
const [STAGING, PROD] = ['lab/staging/shop', 'acme/prod/shop'];

let stack: TestStack;
let shop: Scope<Config>;

const pawl = (...args: string[]): Promise<RanPawl> =>
  runPawl([...args, '--actor', 'eve'], { PAWL_URL: stack.controlPlane.url });

async function over(address: string, version: number, document: object): Promise<void> {
  await stack.admin('ada').putConfig(address, { json: document }, { expect: version });
}

beforeAll(async () => {
  stack = await startStack();
  await stack.promote(STAGING, { max: 1, url: 'stage', zone: 'a' });
  await stack.promote(PROD, { max: 1, url: 'prod', zone: 'a' });
  await stack.promote('acme:release-policy', { local: { config: { '/url': true } } });
  await over(STAGING, 1, { max: 2, url: 'stage-2', zone: 'b' });
  shop = await (await stack.connectSdk({ workload: 'shop' })).open<Config>(PROD);
  await stack.converged(PROD, 1);
});
afterAll(() => stack?.stop());

it('asks from where changes count, the first time', async () => {
  const { code, err } = await pawl('merge', STAGING, PROD);
  expect([code, err]).toEqual([1, expect.stringContaining('--base N')]);
});

it('merges what changed, leaves what is local, and says where it came from', async () => {
  const dry = await pawl('-o', 'json', 'merge', STAGING, PROD, '--base', '1', '--dry-run');
  expect(JSON.parse(dry.out) as MergeView).toMatchObject({
    ...{ version: 1, changed: true, kept: ['/url'], conflicts: [] },
  });
  const { code, out } = await pawl('merge', STAGING, PROD, '--base', '1', '-m', 'weekly');
  expect(code).toBe(0);
  expect(out).toContain(`${STAGING} from version 1 to 2, onto ${PROD} version 1\n`);
  expect(out).toContain('  ~ /max  1 → 2\n  ~ /zone  "a" → "b"\n');
  expect(out).toContain('stays as it is, being local: /url\n');
  expect(out).toContain(`${PROD} version 2\npromote it: `);
  const origin = { address: STAGING, version: 2, baseVersion: 1 };
  const view = await stack.admin().getConfig(PROD);
  expect(view).toMatchObject({ document: { max: 2, url: 'prod', zone: 'b' }, origin });
  const { items } = await stack.admin().history(PROD, { limit: 1 });
  expect(items).toMatchObject([{ version: 2, author: 'eve', message: 'weekly', origin }]);
  expect((await pawl('config', 'history', PROD)).out).toContain(`from ${STAGING}@2: weekly`);
  // Written is not released.
  expect(shop.current).toMatchObject({ max: 1 });
});

it('counts from there the next time, over a restart, and shows a conflict without changing anything', async () => {
  await stack.controlPlane.kill();
  await stack.controlPlane.start();
  await over(STAGING, 2, { max: 3, url: 'stage-3', zone: 'c' });
  await over(PROD, 2, { max: 2, url: 'prod', zone: 'own' });
  const before = await stack.truth();
  const { code, out, err } = await pawl('merge', STAGING, PROD);
  expect(code).toBe(1);
  expect(out).toContain('  ~ /max  2 → 3\n');
  expect(out).toMatch(/\n\/zone +"b" +"c" +"own"\n/);
  expect(err).toContain("--theirs '/zone'");
  expect(await stack.truth()).toBe(before);
});

it('takes the side that it is told, and the result is promoted as any other version', async () => {
  const words = ['-o', 'json', 'merge', STAGING, PROD, '--ours', '/zone'];
  const { code, out } = await pawl(...words);
  expect(code).toBe(0);
  const written = JSON.parse(out) as WrittenView;
  expect(written).toMatchObject({ version: 4, origin: { version: 3, baseVersion: 2 } });
  const again = await pawl(...words);
  expect(JSON.parse(again.out)).toMatchObject({ version: 4, changed: false });
  expect((await pawl('promote', PROD)).code).toBe(0);
  await eventually(() => expect(shop.current).toEqual({ max: 3, url: 'prod', zone: 'own' }));
});

it('tells what still differs between the two', async () => {
  const { code, out } = await pawl('diff', STAGING, PROD);
  expect([code, out]).toEqual([
    0,
    `${STAGING} version 3 → ${PROD} version 4\n  ~ /url  "stage-3" → "prod"\n  ~ /zone  "c" → "own"\n`,
  ]);
  const read = await pawl('diff', STAGING, PROD, '--effective');
  expect(read.out).toContain('  ~ /max  1 → 3\n');
});
