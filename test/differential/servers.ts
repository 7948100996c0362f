import { openMetadata } from '@pawl/metadata';
import { serveEtcd } from '@pawl/metadata/etcd-api';
import { systemTime } from '@pawl/metadata/testing';
import { startEtcd } from '../support/etcd.js';
import { makeTemporaryFolder } from '../support/temporary-folder.js';

/** A member of ours and the distribution's etcd, both empty; `host:port` each. */
export interface Servers {
  readonly ours: string;
  readonly theirs: string;
  close(): Promise<void>;
}

export async function openServers(): Promise<Servers> {
  const [etcd, folder] = await Promise.all([startEtcd(), makeTemporaryFolder('wire')]);
  const node = await openMetadata({
    clock: systemTime,
    timer: systemTime,
    dataDir: folder.path,
    nodeId: 'n1',
    keepRevisions: 1_000_000,
  });
  const log = (text: string) => console.log(text);
  const server = await serveEtcd({ node, port: 0, timer: systemTime, log });
  return {
    ours: `127.0.0.1:${server.address.port}`,
    theirs: etcd.endpoints[0]!,
    close: async () => {
      await server.close();
      await Promise.all([node.close(), etcd.stop()]);
      await folder.remove();
    },
  };
}
