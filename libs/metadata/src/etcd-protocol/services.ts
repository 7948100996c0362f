import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createRequire } from 'node:module';
import { concurrencyServices } from './concurrency-services.js';

/** The services of etcd's v3 protocol, by their full names. */
export type EtcdService =
  | 'etcdserverpb.KV'
  | 'etcdserverpb.Watch'
  | 'etcdserverpb.Lease'
  | 'etcdserverpb.Cluster'
  | 'etcdserverpb.Maintenance'
  | 'v3lockpb.Lock'
  | 'v3electionpb.Election';

const LOADED = {
  keepCase: true,
  /* Lease ids do not fit a double. */
  longs: String,
  enums: Number,
  defaults: true,
  oneofs: true,
} as const;

let services: Record<EtcdService, ServiceDefinition> | null = null;

/** Service definitions: as the `etcd3` package ships them, and the two that it lacks. Read once. */
export function etcdServices(): Record<EtcdService, ServiceDefinition> {
  if (services !== null) return services;
  const shipped = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');
  services = {
    ...loadSync(shipped, LOADED),
    ...concurrencyServices(shipped, LOADED),
  } as unknown as Record<EtcdService, ServiceDefinition>;
  return services;
}
