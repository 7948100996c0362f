export { serveEtcd } from './etcd-server.js';
export type { EtcdServer, EtcdServerOptions, EtcdTls } from './etcd-server.js';
export { DEFAULT_ETCD_LIMITS } from './limits.js';
export type { EtcdLimits } from './limits.js';
