import type { MethodDefinition } from '@grpc/grpc-js';
import { etcdServices } from '../etcd-protocol/services.js';

/** What goes in and out of a method is the business of its caller. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type EtcdMethod = MethodDefinition<any, any>;

/** A method by its names, such as `KV` and `Range`. */
export function etcdMethod(
  service: 'KV' | 'Watch' | 'Lease' | 'Cluster' | 'Maintenance',
  name: string,
): EtcdMethod {
  const method = etcdServices()[`etcdserverpb.${service}`][name];
  if (method === undefined) throw new TypeError(`etcd has no method ${service}.${name}`);
  return method as EtcdMethod;
}
