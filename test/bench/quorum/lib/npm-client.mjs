import { Etcd3 } from 'etcd3';

/** The client that people install: one connection, as it comes. */
export class NpmClient {
  #client;

  /** @param {string} endpoint `host:port` */
  constructor(endpoint) {
    this.#client = new Etcd3({ hosts: `http://${endpoint}` });
  }

  put(key, value) {
    return this.#client.put(key).value(value).exec();
  }

  get(key) {
    return this.#client.get(key).buffer();
  }

  close() {
    this.#client.close();
  }
}
