import { ACTOR, expectSuccess } from './api.mjs';
import { Failure } from './failure.mjs';

/**
 * Refuses, with a `Failure` that names address and author, where the newest or the released version
 * at one of the addresses is not the demo's own: the demo would write over it and release that.
 *
 * @param {import('./api.mjs').Api} api @param {readonly string[]} addresses
 */
export async function assertNoForeignVersions(api, addresses) {
  for (const address of addresses) {
    const newest = await api.get(`/v1/config/${address}`);
    if (newest.status === 404) continue;
    assertOwn(address, expectSuccess(`Reading ${address}`, newest));
    const release = await api.get(`/v1/release/${address}`);
    const { stableVersion } = expectSuccess('Reading the release', release);
    if (stableVersion === null || stableVersion === newest.body.version) continue;
    const stable = await api.get(`/v1/config/${address}?version=${stableVersion}`);
    assertOwn(address, expectSuccess(`Reading ${address}`, stable));
  }
}

/** @param {string} address @param {{ version: number, author: string }} definition */
function assertOwn(address, { version, author }) {
  if (author === ACTOR) return;
  throw new Failure(
    `Version ${version} of ${address} was written by ${author}, and the demo would replace it: ` +
      'npm run demo -- --overwrite does so.',
  );
}
