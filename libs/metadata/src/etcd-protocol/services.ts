import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createRequire } from 'node:module';

/** The services of etcd's v3 protocol, by their full names. */
export type EtcdService =
  | 'etcdserverpb.KV'
  | 'etcdserverpb.Watch'
  | 'etcdserverpb.Lease'
  | 'etcdserverpb.Cluster'
  | 'etcdserverpb.Maintenance';

const LOADED = {
  keepCase: true,
  /* Lease ids do not fit a double. */
  longs: String,
  enums: Number,
  defaults: true,
  oneofs: true,
} as const;

let services: Record<EtcdService, ServiceDefinition> | null = null;

/** Service definitions as the `etcd3` package ships them, read once. */
export function etcdServices(): Record<EtcdService, ServiceDefinition> {
  services ??= loadSync(
    createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto'),
    LOADED,
  ) as unknown as Record<EtcdService, ServiceDefinition>;
  return services;
}
