import { randomUUID } from 'node:crypto';
import { TruthUnavailableError } from '@pawl/engine';
import type { Installation } from '@pawl/engine';
import type { DataSource } from 'typeorm';
import { createDataSource } from './data-source.js';
import { InstallationEntity } from './entities/installation.entity.js';
import { InstallationMismatchError } from './errors.js';

export interface PrepareOptions {
  readonly url: string;
  /** Name of the installation. */
  readonly installation: string;
  readonly shards: number;
  readonly applicationName: string;
}

/** Advisory lock of whoever migrates; before migrating there is no installation to derive it from. */
const MIGRATION_LOCK = [0x7061776c, 0] as const;
/** How long migrating, and waiting for another process that migrates, may take, milliseconds. */
const DEADLINE_MS = 60_000;

/**
 * Brings the database to this version and makes it the installation's if it is nobody's yet; safe to
 * run in several processes at once. Throws {@link InstallationMismatchError} when it is another's, and
 * `TruthUnavailableError` when PostgreSQL does not answer.
 */
export async function prepareDatabase(options: PrepareOptions): Promise<Installation> {
  const dataSource = createDataSource({
    url: options.url,
    applicationName: options.applicationName,
    poolSize: 2,
    statementTimeoutMs: DEADLINE_MS,
    lockTimeoutMs: DEADLINE_MS,
    idleInTransactionTimeoutMs: DEADLINE_MS,
    answerTimeoutMs: DEADLINE_MS,
    onIdleError: () => undefined,
  });
  try {
    await dataSource.initialize();
    return await migrateLocked(dataSource, options);
  } catch (error) {
    if (error instanceof InstallationMismatchError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new TruthUnavailableError(`the database could not be prepared: ${message}`, {
      cause: error,
    });
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
  }
}

/** The lock ends with its session, whatever happens. */
async function migrateLocked(
  dataSource: DataSource,
  options: PrepareOptions,
): Promise<Installation> {
  const lock = dataSource.createQueryRunner();
  try {
    await lock.query('SELECT pg_advisory_lock($1, $2)', [...MIGRATION_LOCK]);
    await dataSource.runMigrations({ transaction: 'all' });
    const installation = await findOrMakeInstallation(dataSource, options);
    checkInstallation(installation, options);
    return installation;
  } finally {
    await lock.release();
  }
}

async function findOrMakeInstallation(
  dataSource: DataSource,
  options: PrepareOptions,
): Promise<Installation> {
  const installations = dataSource.getRepository(InstallationEntity);
  const found = await installations.findOneBy({ singleton: true });
  if (found !== null) {
    const { name, id, generation, shards } = found;
    return { name, id, generation, shards };
  }
  const made = {
    name: options.installation,
    id: randomUUID(),
    generation: 1,
    shards: options.shards,
  };
  await installations.insert({ ...made, singleton: true, createdAt: () => 'now()' });
  return made;
}

function checkInstallation(recorded: Installation, wanted: PrepareOptions): void {
  if (recorded.name !== wanted.installation) {
    throw new InstallationMismatchError(
      `the database belongs to installation "${recorded.name}", not to "${wanted.installation}": ` +
        'give this installation a database of its own, or set its name to the recorded one',
    );
  }
  if (recorded.shards !== wanted.shards) {
    throw new InstallationMismatchError(
      `installation "${recorded.name}" was made with ${recorded.shards} shards, not with ` +
        `${wanted.shards}: the number is fixed at the first start, set it back`,
    );
  }
}
