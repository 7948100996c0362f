import { isDeepStrictEqual } from 'node:util';
import { ACTOR, expectSuccess } from './api.mjs';
import { Failure } from './failure.mjs';

/**
 * @typedef {import('./api.mjs').Api} Api
 * @typedef {import('./examples.mjs').Example} Example
 * @typedef {{ version: number, author: string, document: unknown }} Definition
 */

/**
 * Refuses, with a `Failure` that names address and author, where the newest or the released version
 * of an example is neither the demo's own nor equal to what the demo would write: it would replace it
 * and release that.
 *
 * @param {Api} api @param {readonly Example[]} examples
 */
export async function assertNoForeignVersions(api, examples) {
  for (const example of examples) {
    const { address } = example;
    const newest = await api.get(`/v1/config/${address}`);
    if (newest.status === 404) continue;
    await assertReplaceable(api, example, expectSuccess(`Reading ${address}`, newest));
    const release = await api.get(`/v1/release/${address}`);
    const { stableVersion } = expectSuccess('Reading the release', release);
    if (stableVersion === null || stableVersion === newest.body.version) continue;
    const stable = await api.get(`/v1/config/${address}?version=${stableVersion}`);
    await assertReplaceable(api, example, expectSuccess(`Reading ${address}`, stable));
  }
}

/** @param {Api} api @param {Example} example @param {Definition} there */
async function assertReplaceable(api, example, there) {
  const { version, author } = there;
  if (author === ACTOR || (await isEqual(api, example, there))) return;
  throw new Failure(
    `Version ${version} of ${example.address} was written by ${author}, and the demo would replace ` +
      'it: npm run demo -- --overwrite does so.',
  );
}

/**
 * Whether what the demo would write is there already.
 *
 * @param {Api} api @param {Example} example @param {Definition} there
 */
async function isEqual(api, { address, document, schema }, there) {
  if (document !== undefined && !isDeepStrictEqual(document, there.document)) return false;
  if (schema === undefined) return true;
  const found = await api.get(`/v1/schema/${address}?version=${there.version}`);
  return found.status === 200 && isDeepStrictEqual(schema, found.body);
}
