import { loadPackageDefinition } from '@grpc/grpc-js';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createRequire } from 'node:module';

/** Services of etcd v3, `etcdserverpb`, by their names. */
export type EtcdServices = Readonly<
  Record<'KV' | 'Watch' | 'Lease' | 'Cluster' | 'Maintenance' | 'Auth', ServiceDefinition>
>;

/** What goes in and out of a method is the business of its caller. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type EtcdMethod = MethodDefinition<any, any>;

interface Loaded {
  readonly service: ServiceDefinition;
}

let loaded: EtcdServices | undefined;

/**
 * The definitions that the `etcd3` package ships. Messages are plain objects with the names of the
 * protocol; 64-bit numbers are decimal texts, enums numbers, bytes Buffers. What a message that was
 * received leaves out has its default, a part of a `oneof` is left out.
 */
export function etcdServices(): EtcdServices {
  loaded ??= load();
  return loaded;
}

/** A method by its names, such as `KV` and `Range`. */
export function etcdMethod(service: keyof EtcdServices, name: string): EtcdMethod {
  const method = etcdServices()[service][name];
  if (method === undefined) throw new TypeError(`etcd has no method ${service}.${name}`);
  return method;
}

function load(): EtcdServices {
  const file = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');
  const definition = loadSync(file, {
    keepCase: true,
    longs: String,
    defaults: true,
    oneofs: true,
  });
  const root = loadPackageDefinition(definition) as unknown as {
    readonly etcdserverpb: Readonly<Record<keyof EtcdServices, Loaded>>;
  };
  const { KV, Watch, Lease, Cluster, Maintenance, Auth } = root.etcdserverpb;
  return {
    KV: KV.service,
    Watch: Watch.service,
    Lease: Lease.service,
    Cluster: Cluster.service,
    Maintenance: Maintenance.service,
    Auth: Auth.service,
  };
}
