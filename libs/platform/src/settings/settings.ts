/** Levels of pino, loudest first, and `silent`. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `host` is a name or an address, one of IPv6 without brackets. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A member of the metadata quorum: `id=host:port`. */
export interface PeerSetting extends HostPort {
  readonly id: string;
}

/** Where something listens, and where others find it if that is not the same. */
export interface ListenSetting {
  /** Port 0: any free one. */
  readonly listen: HostPort;
  /** `null`: where it listens. */
  readonly advertise: HostPort | null;
}

/** PEM files, as given. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** When history is compacted away without being asked; `off`: never. */
export type CompactionSetting =
  | { readonly mode: 'off' }
  | { readonly mode: 'revision'; readonly keepRevisions: number }
  | { readonly mode: 'periodic'; readonly keepMs: number };

/** The metadata quorum of this node and its coordination API. */
export interface QuorumSettings {
  /**
   * The other members that a new cluster is founded with, or some that a joining node asks. None:
   * this node founds alone. An entry for this node itself is its advertised address, and not here.
   */
  readonly peers: readonly PeerSetting[];
  /** Whether a list of members was given at all, if only of this node. */
  readonly peersGiven: boolean;
  /** Enter a cluster that runs, instead of founding one. Without meaning once the folder is used. */
  readonly join: boolean;
  /** Drop all other members from the cluster: when a majority of them is lost for good. */
  readonly forceNewCluster: boolean;
  /** `tls`: both sides show certificates of `ca`; `null`: in the clear. */
  readonly peer: ListenSetting & { readonly tls: (TlsFiles & { readonly ca: string }) | null };
  /** `ca` is given: clients have to show a certificate of it. */
  readonly etcd: ListenSetting & {
    readonly tls: (TlsFiles & { readonly ca: string | null }) | null;
  };
  /** Applied log entries after which a snapshot is taken. */
  readonly snapshotCount: number;
  readonly heartbeatMs: number;
  /** At least five heartbeats. */
  readonly electionMs: number;
  readonly compaction: CompactionSetting;
  /** What users of the coordination API may store in all. */
  readonly quotaBytes: number;
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
    /** Copies of each stream; `null`: as the servers are. */
    readonly replicas: 1 | 3 | 5 | null;
  };
  /** `<name>/<id>` of an installation whose streams are emptied and taken over; `null`: none. */
  readonly adoptStreams: string | null;
  readonly nodeId: string;
  readonly quorum: QuorumSettings;
  readonly metadata: MetadataSetting;
  readonly shards: number;
  readonly leaseTtlMs: number;
  readonly propagationBoundMs: number;
  readonly sweepIntervalMs: number;
  readonly redisUrl: string | null;
  /** Whom gates may ask. */
  readonly gates: {
    /** `token`: sent as bearer; `null`: none. */
    readonly prometheus: { readonly url: string; readonly token: string | null } | null;
    /** Beginnings of URLs that webhook gates may call. */
    readonly urls: readonly string[];
  };
  /** Where release transitions are posted to; they may hold secrets of their own, so none is logged. */
  readonly webhookUrls: readonly string[];
  /** What webhooks are signed with, by each; at least one where there are `webhookUrls`. */
  readonly webhookSecrets: readonly string[];
  /** Where the CLI and the admin client go. */
  readonly url: string;
  readonly logLevel: LogLevel;
}
