import type { MetadataStore } from '../metadata-store.port.js';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { NO_LEASE } from '../state/index.js';
import { bytesToText, textToBytes } from '../text.js';
import { INSTALLATION_KEY } from './ownership-keys.js';

/** The metadata store is another installation's than PostgreSQL is. */
export class ForeignInstallationError extends Error {
  override readonly name = 'ForeignInstallationError';
}

/**
 * Records whose metadata this is, `<name>/<id>`, when nobody did; to be called before anything is
 * claimed. Throws {@link ForeignInstallationError} when it is another's, until `raiseEpoch` forgets it.
 */
export async function recordInstallation(
  store: MetadataStore,
  installation: string,
): Promise<void> {
  const key = INSTALLATION_KEY;
  const value = textToBytes(installation);
  const result = await store.txn({
    compare: [{ key, target: 'create', operator: '=', value: 0 }],
    success: [{ kind: 'put', key, value, lease: NO_LEASE }],
    failure: [{ kind: 'range', key }],
  });
  if (!result.ok) {
    throw new MetadataUnavailableError(`recording the installation: ${result.refusal}`, 'no');
  }
  if (result.succeeded) return;
  const [found] = result.results;
  const held = found?.kind === 'range' ? found.kvs[0] : undefined;
  const recorded = held === undefined ? 'another' : bytesToText(held.value);
  if (recorded === installation) return;
  throw new ForeignInstallationError(
    `this node's metadata belongs to installation ${recorded}, but PostgreSQL holds installation ` +
      `${installation}: give the node back its own PostgreSQL, or, if that is gone for good, run ` +
      '`pawl metadata adopt` while the node is stopped, and start it with this one',
  );
}
