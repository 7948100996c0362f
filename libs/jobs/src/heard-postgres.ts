import { createPostgresBackend } from 'bullmq';
import { Client, type ClientConfig } from 'pg';

/**
 * A connection whose loss is always heard: BullMQ 6.7 has no listener on the one it migrates with, nor
 * on the one it listens for jobs on before that has connected, and an `error` event that nobody hears
 * ends the process. One that is lost in the breath in which it is ready has not connected, so that
 * BullMQ makes another. The query under way rejects all the same.
 */
export class HeardClient extends Client {
  #lost: Error | undefined;

  constructor(config?: ClientConfig) {
    super(config);
    this.on('error', (error) => (this.#lost ??= error));
  }

  override connect(): Promise<Client>;
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): Promise<Client> | void {
    if (callback !== undefined) return super.connect(callback);
    return super.connect().then(() => {
      if (this.#lost !== undefined) throw this.#lost;
      return this;
    });
  }
}

/** BullMQ 6.7 makes the connection that it listens for jobs on with another class than it was given. */
export const createHeardBackend: typeof createPostgresBackend = (...given) => {
  const made = createPostgresBackend(...given);
  const { connection } = made as unknown as { connection: { pgModule: object } };
  connection.pgModule = { Client: HeardClient };
  return made;
};
