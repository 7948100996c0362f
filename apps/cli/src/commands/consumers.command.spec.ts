import { afterEach, beforeEach, expect, it } from 'vitest';
import { CliWorld, json, refuse } from '../testing/cli-world.js';

const AT = '2026-01-02T12:00:00.000Z';
const SINCE = '2026-01-02T11:00:00.000Z';
const THEN = { at: AT, knownSince: '2026-01-01T00:00:00.000Z' };
const POD = { workload: 'checkout', consumerId: 'pod-1', incarnation: 'i1', generation: 1 };
const ITEMS = [
  { ...POD, state: 'applied', version: 7, cohort: 'r1', since: SINCE, lastSeenAt: AT },
  {
    ...{ ...POD, consumerId: 'pod-2', state: 'rejected', version: 0, since: SINCE },
    ...{ rejected: { version: 7, reason: 'too\nhigh' }, lastSeenAt: null },
  },
];

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
});
afterEach(() => world.stop());

it('says what was published at a time, and who ran what', async () => {
  const page = { ...THEN, published: { generation: 1, version: 7, at: SINCE }, items: ITEMS };
  const asked = 'GET /v1/consumers/acme/app?at=2h&limit=100&workload=checkout&consumerId=pod-1';
  world.answers.set(asked, json({ ...page, next: 'checkout/pod-2/i1' }));
  const words = ['consumers', 'acme/app', '--at', '2h', '--workload', 'checkout'];
  const { code, out, err } = await world.pawl(...words, '--consumer', 'pod-1');
  expect(code).toBe(0);
  expect(out.split('\n')).toEqual([
    `at ${AT}: snapshot 7 was published, since ${SINCE}`,
    'WORKLOAD  CONSUMER  PROCESS  VERSION        STATE     SINCE                     REJECTED',
    `checkout  pod-1     i1       7 (candidate)  applied   ${SINCE}`,
    `checkout  pod-2     i1       none yet       rejected  ${SINCE}  7: too high`,
    '',
  ]);
  expect(err).toContain('a higher --limit');
});

it('says that nobody was there then, and what is not taken', async () => {
  const asked = `GET /v1/consumers/acme/app?at=${encodeURIComponent(AT)}&limit=100&state=left`;
  world.answers.set(asked, json({ ...THEN, published: null, items: [] }));
  const words = ['consumers', 'acme/app', '--at', AT, '--state', 'left'];
  const { out } = await world.pawl(...words);
  expect(out).toBe(
    `at ${AT}: nothing was published, as far as consumers were told\n` +
      `nobody of these was there then; it is known since ${THEN.knownSince}\n`,
  );
  expect(JSON.parse((await world.pawl('-o', 'json', ...words)).out)).toMatchObject(THEN);
  expect((await world.pawl('consumers', 'acme/app', '--consumer', 'pod-1')).code).toBe(2);
});

it('says of a time that is too long ago what to ask for, and nothing of other addresses', async () => {
  const asked = 'GET /v1/consumers/acme/app?at=30d&limit=100';
  const detail = `what consumers of acme/app ran is known since ${SINCE}: ask for a later time`;
  world.answers.set(asked, refuse('not-found', detail));
  const words = ['consumers', 'acme/app', '--at', '30d'];
  const { code, err } = await world.pawl(...words);
  expect([code, err]).toEqual([1, expect.stringMatching(/^pawl: [^\n]+: ask for a later time\n$/)]);
  world.answers.set(asked, refuse('not-found', 'acme/app is not known'));
  expect((await world.pawl(...words)).err).toContain('pawl scopes');
});
