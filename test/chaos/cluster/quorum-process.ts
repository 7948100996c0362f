/** A member of a quorum as a process of its own. */
export interface QuorumProcess {
  readonly name: string;
  /** `host:port` of its coordination API; the same across restarts. */
  readonly endpoint: string;
  readonly dataFolder: string;
  /** Of the process that was started last. */
  readonly pid: number;
  isRunning(): boolean;
  /** Starts it, the first time or on its data; resolves once it runs, not when it serves. */
  start(options?: StartOptions): Promise<void>;
  /** Ends it in order (SIGTERM). */
  stop(): Promise<void>;
  /** Ends it at once, also when it is paused. */
  kill9(): Promise<void>;
  /** Holds it still (SIGSTOP): its connections stay, it does nothing. */
  pause(): void;
  resume(): void;
  /** Resolves when the process that was started last has ended, with its exit code. */
  exited(): Promise<number | null>;
  /** The end of what it printed since it was started last. */
  log(): string;
}

export interface StartOptions {
  /** Arguments of this start only, after all others. */
  readonly args?: readonly string[];
}

/** Where a member listens, and where the others find it. */
export interface MemberPlan {
  readonly name: string;
  readonly dataFolder: string;
  readonly logFile: string;
  readonly clientPort: number;
  /** Behind the gate, at which the others knock. */
  readonly peerPort: number;
  readonly gatePort: number;
}

export interface QuorumPlan {
  readonly member: MemberPlan;
  /** Those that found the quorum, this one among them; or, for one that joins, all there are. */
  readonly members: readonly MemberPlan[];
  /** It enters a quorum that runs. */
  readonly joins: boolean;
  /** Different for each cluster. */
  readonly token: string;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /** Further arguments for the program. */
  readonly args: readonly string[];
  /** A command that runs the program; empty: none does. */
  readonly within: readonly string[];
}

/** A program that can be a member of a quorum with etcd's API. */
export interface QuorumKind {
  readonly name: 'etcd' | 'pawl';
  make(plan: QuorumPlan): QuorumProcess;
  /** What `addMember` takes as the place of a member that others find there. */
  peerUrl(gatePort: number): string;
  /** Whoever opened a connection to a gate, by its first bytes; null when more are needed. */
  identify(first: Buffer, names: readonly string[]): string | null;
  /** Whether that is the member of this name, and of this number once it has one. */
  isMember(caller: string, member: { readonly name: string; readonly memberId: string }): boolean;
}
