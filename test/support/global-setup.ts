import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { findEtcd } from '../../infra/dev/lib/etcd-binaries.mjs';
import { findNats } from '../../infra/dev/lib/nats-binary.mjs';
import { startPostgres } from '../../infra/dev/lib/postgres.mjs';
import { build } from '../../infra/dev/lib/prepare.mjs';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';
import { createTerminal } from '../../infra/dev/lib/terminal.mjs';
import { copyFolder } from './copy-folder.js';
import { endWithUs } from './leash.js';
import { makeTemporaryFolder } from './temporary-folder.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A superuser's URL of the one PostgreSQL of this run; take a database of your own from it. */
    postgresUrl: string;
    /** Folder of a PostgreSQL cluster that nobody uses: see `lay-down-cluster.ts`. */
    clusterToCopy: string;
    /** Path of the nats-server program. */
    natsServer: string;
    /** Paths of the distribution's etcd and etcdctl. */
    etcd: { readonly server: string; readonly etcdctl: string };
  }
}

/**
 * Before the e2e tests: the build they start processes from, and one PostgreSQL that keeps what it
 * commits (fsync on). Everything else they start themselves.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const terminal = createTerminal();
  await build({ terminal });
  const toolsFolder = join(REPOSITORY, '.pawl-test', 'tools');
  project.provide('natsServer', await findNats({ toolsFolder, terminal }));
  project.provide('etcd', await findEtcd({ toolsFolder, terminal }));
  const folder = await makeTemporaryFolder('e2e');
  const start = () =>
    startPostgres({
      folder: join(folder.path, 'postgres'),
      logFile: join(folder.path, 'logs', 'postgres.log'),
      port: 0,
      onSpawn: ({ pid }) => endWithUs(pid),
    });
  const clusterToCopy = join(folder.path, 'cluster-to-copy');
  await (await start()).service.stop();
  await copyFolder(join(folder.path, 'postgres'), clusterToCopy);
  project.provide('clusterToCopy', clusterToCopy);
  const { service, url } = await start();
  project.provide('postgresUrl', url);
  return async () => {
    await service.stop();
    await folder.remove();
  };
}
