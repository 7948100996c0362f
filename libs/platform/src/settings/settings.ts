/** Levels of pino, loudest first, and `silent`. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A member of the metadata quorum: `id=host:port`. */
export interface PeerSetting {
  readonly id: string;
  readonly host: string;
  readonly port: number;
}

/** Where the metadata lives: in the quorum that the nodes form themselves, or in an etcd cluster. */
export type MetadataSetting =
  | { readonly kind: 'embedded' }
  /** Each endpoint is `host:port`. */
  | { readonly kind: 'etcd'; readonly endpoints: readonly string[] };

/** Every setting, checked. URLs may hold passwords: log them through `redactUrl` only. */
export interface Settings {
  /** Folder of everything a node keeps; as given, so relative to the working directory. */
  readonly dataDir: string;
  readonly installation: string;
  readonly http: {
    readonly host: string;
    /** 0: any free port. */
    readonly port: number;
    /** Host names, besides loopback, IP addresses and `host`, under which this server is reached. */
    readonly allowedHosts: readonly string[];
  };
  readonly postgres: {
    /** `null`: embedded, on `port`. */
    readonly url: string | null;
    readonly port: number;
  };
  readonly nats: {
    /** `null`: a nats-server of our own, on `port`. Several servers are separated by commas. */
    readonly url: string | null;
    readonly port: number;
  };
  /** `<name>/<id>` of an installation whose streams are emptied and taken over; `null`: none. */
  readonly adoptStreams: string | null;
  readonly nodeId: string;
  readonly peers: readonly PeerSetting[];
  readonly peerPort: number;
  readonly etcdPort: number;
  readonly metadata: MetadataSetting;
  readonly shards: number;
  readonly leaseTtlMs: number;
  readonly propagationBoundMs: number;
  readonly sweepIntervalMs: number;
  readonly redisUrl: string | null;
  /** Where the CLI and the admin client go. */
  readonly url: string;
  readonly logLevel: LogLevel;
}

/** What `pawl settings` lists. */
export interface SettingDescription {
  readonly name: string;
  /** As it would be written in the environment; `null`: none. */
  readonly default: string | null;
  readonly description: string;
}
