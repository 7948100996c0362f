import { backgroundTimer, systemClock } from '@pawl/contracts/node';
import { installationText, type Installation, type ShardOwnership } from '@pawl/engine';
import {
  createShardOwnership,
  openEtcdMetadata,
  openMember,
  quorumProblem,
  recordInstallation,
  takeFolder,
  takePort,
  type EtcdMetadataStore,
  type MetadataStore,
} from '@pawl/metadata';
import { parseHostPort, type Logger, type Settings } from '@pawl/platform';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { OpenedMetadata } from '../composition.js';
import { baseUrl } from '../http/close-http-app.js';
import { engineLog } from '../runtime/engine-log.js';
import { StartError } from '../runtime/start-error.js';
import { untilAnswered } from './until-answered.js';

const REST_PORT = { what: 'REST', setting: 'PAWL_HTTP' };

/** A member of the quorum in this process with its coordination API, or a real etcd cluster. */
export function openMetadata(settings: Settings, logger: Logger): Promise<OpenedMetadata> {
  return settings.metadata.kind === 'etcd'
    ? openEtcd(settings, settings.metadata.endpoints, logger)
    : openOwnMember(settings, logger);
}

async function openOwnMember(settings: Settings, logger: Logger): Promise<OpenedMetadata> {
  const { nodeId } = settings;
  let failed: Error | undefined;
  const member = await openMember({
    folder: join(settings.dataDir, 'metadata'),
    nodeId,
    settings: settings.quorum,
    clock: systemClock,
    timer: backgroundTimer,
    onProblem: (text) => logger.warn(text),
    // REST listens last, and a start that fails by then has begun the folder.
    prepare: async () => (await takePort(settings.http, REST_PORT)).release(),
    onFailure: (error) => {
      failed = error;
      logger.error({ err: error }, 'the metadata store has failed: this node stops');
      // Nobody waits for this: it reaches the process as uncaught, which stops in order with code 1.
      setImmediate(() => {
        throw error;
      });
    },
  });
  const { node, peerAddress, etcdUrl } = member;
  for (const note of node.notes) logger.warn(note);
  logger.info({ peer: peerAddress, etcd: etcdUrl, cluster: node.clusterId }, 'quorum member open');
  return {
    endpoints: { peer: peerAddress, etcd: etcdUrl },
    ownership: ownershipOver({
      store: node,
      folder: node.folderId,
      address: restAddress(settings.http, peerAddress),
      settings,
      logger,
    }),
    problem: async () => failed?.message ?? (await quorumProblem(node)),
    members: async () => {
      const members = await node.members({ serializable: true });
      const behind = new Map(node.replication()?.map((member) => [member.id, member.behind]));
      return members.map((member) => {
        const entries = behind.get(member.id);
        return entries === undefined ? member : { ...member, behind: entries };
      });
    },
    close: () => member.close(),
  };
}

async function openEtcd(
  settings: Settings,
  endpoints: readonly string[],
  logger: Logger,
): Promise<OpenedMetadata> {
  const folder = await takeFolder(join(settings.dataDir, 'node'));
  const store = await reachEtcd(settings, endpoints).catch(async (error: unknown) => {
    await folder.release();
    throw error;
  });
  return {
    endpoints: {},
    ownership: ownershipOver({
      store,
      folder: folder.id,
      address: restAddress(settings.http),
      settings,
      logger,
    }),
    problem: async () =>
      (await store.status()).leader === null ? 'nobody leads the etcd cluster' : null,
    members: () => Promise.resolve([]),
    close: async () => {
      await store.close();
      await folder.release();
    },
  };
}

/** Installations that share a cluster have their keys apart. */
async function reachEtcd(
  { installation }: Settings,
  endpoints: readonly string[],
): Promise<EtcdMetadataStore> {
  const prefix = `pawl/${installation}/`;
  try {
    return await openEtcdMetadata({
      endpoints,
      prefix,
      clock: systemClock,
      timer: backgroundTimer,
    });
  } catch (error) {
    throw new StartError(
      `The etcd cluster that PAWL_METADATA names (${endpoints.join(', ')}) does not answer: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function ownershipOver(parts: {
  readonly store: MetadataStore;
  readonly folder: string;
  readonly address: string | undefined;
  readonly settings: Settings;
  readonly logger: Logger;
}): (installation: Installation) => Promise<ShardOwnership> {
  const { store, folder, address, settings, logger } = parts;
  return async (installation) => {
    const record = (): Promise<void> => recordInstallation(store, installationText(installation));
    await untilAnswered(record, (text) => logger.warn(text));
    return createShardOwnership({
      store,
      nodeId: settings.nodeId,
      incarnation: randomUUID(),
      folder,
      shards: installation.shards,
      leaseTtlMs: settings.leaseTtlMs,
      clock: systemClock,
      timer: backgroundTimer,
      log: engineLog(logger),
      ...(address === undefined ? {} : { address }),
    });
  };
}

/**
 * Base URL of REST for people and other nodes; where it listens on all addresses of the host, by the
 * name that members of the quorum have for it, `host:port`. `undefined` where the port is not known
 * before it listens, or nothing names the host.
 */
export function restAddress(
  { host, port }: Settings['http'],
  peerAddress?: string,
): string | undefined {
  const listensOnAll = host === '0.0.0.0' || host === '::';
  const name = listensOnAll ? parseHostPort(peerAddress ?? '')?.host : host;
  return port === 0 || name === undefined ? undefined : baseUrl(name, port);
}
