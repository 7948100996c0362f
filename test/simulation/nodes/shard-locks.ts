/** The session waits no longer, or never will again: it was ended. */
export class SessionEndedError extends Error {
  override readonly name = 'SessionEndedError';
}

type Mode = 'shared' | 'exclusive';

interface Waiting {
  readonly session: number;
  readonly mode: Mode;
  readonly grant: () => void;
  readonly refuse: (error: Error) => void;
}

interface Lock {
  readonly holders: Map<number, Mode>;
  /** In order of arrival: who comes later never overtakes. */
  readonly queue: Waiting[];
}

/** PostgreSQL's advisory transaction locks of shards: shared by writers, exclusive for a claim. */
export class ShardLocks {
  readonly #locks = new Map<number, Lock>();

  /** Resolves once it is held; rejects when the session ends before. */
  acquire(session: number, shard: number, mode: Mode): Promise<void> {
    const lock = this.#lock(shard);
    return new Promise((grant, refuse) => {
      lock.queue.push({ session, mode, grant, refuse });
      this.#grant(lock);
    });
  }

  /** Sessions that hold what somebody else's exclusive lock waits for. */
  holders(shard: number): number[] {
    return [...this.#lock(shard).holders.keys()];
  }

  /** Lets go of all that a session holds and waits for. */
  release(session: number): void {
    for (const lock of this.#locks.values()) {
      for (const waiting of lock.queue.filter((each) => each.session === session)) {
        lock.queue.splice(lock.queue.indexOf(waiting), 1);
        waiting.refuse(new SessionEndedError('ended while it waited for a lock'));
      }
      lock.holders.delete(session);
      this.#grant(lock);
    }
  }

  #grant(lock: Lock): void {
    for (let next = lock.queue[0]; next !== undefined; next = lock.queue[0]) {
      const modes = [...lock.holders.values()];
      const free = next.mode === 'shared' ? !modes.includes('exclusive') : modes.length === 0;
      if (!free) return;
      lock.queue.shift();
      lock.holders.set(next.session, next.mode);
      next.grant();
    }
  }

  #lock(shard: number): Lock {
    const known = this.#locks.get(shard);
    if (known !== undefined) return known;
    const lock: Lock = { holders: new Map(), queue: [] };
    this.#locks.set(shard, lock);
    return lock;
  }
}
