const DEADLINE_MS = 30_000;

/**
 * Writes the next version of an address of its own again and again, as somebody does who knows all
 * nodes: what one does not take is brought to the next, under the same idempotency key.
 */
export class PacedWriter {
  /** Milliseconds that each write took until it was acknowledged, and when that was. */
  took = [];
  acknowledgedAt = [];
  /** Answers of nodes that did not do it, also 503, after which it is asked again; the newest in words. */
  refused = 0;
  refusal = '';
  /** How often a node was not there, or gone before it answered. */
  away = 0;
  #version = 0;
  #key = 0;

  constructor(address, urls) {
    this.address = address;
    this.urls = urls;
  }

  /** One write every `everyMs` until `signal`, or as soon as the one before is done. */
  async run(everyMs, signal) {
    let due = performance.now();
    while (!signal.aborted) {
      await this.write();
      due = Math.max(due + everyMs, performance.now());
      await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
    }
  }

  async write() {
    const started = performance.now();
    const key = `${this.address} ${(this.#key += 1)}`;
    for (let attempt = 0; performance.now() - started < DEADLINE_MS; attempt += 1) {
      const urls = this.urls();
      const answer = await this.#put(urls[attempt % urls.length], key);
      const body = await answer?.json().catch(() => undefined);
      if (body === undefined || answer.status === 503) {
        if (body === undefined) this.away += 1;
        else this.#refuse(answer, body);
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      if (!answer.ok || body.version !== this.#version + 1) {
        this.#refuse(answer, body);
        return;
      }
      this.#version = body.version;
      this.took.push(performance.now() - started);
      this.acknowledgedAt.push(performance.now());
      return;
    }
    this.refused += 1;
    this.refusal = 'nobody took it in time';
  }

  /** How many acknowledged writes are not there. */
  async lost() {
    const [url] = this.urls();
    const { version } = await (await fetch(`${url}/v1/config/${this.address}`)).json();
    return Math.max(0, this.#version - version);
  }

  /** The longest time between two acknowledged writes. */
  get longestGapMs() {
    const times = this.acknowledgedAt;
    return Math.max(0, ...times.slice(1).map((at, index) => at - times[index]));
  }

  #refuse({ status }, body) {
    this.refused += 1;
    this.refusal = `${status} ${JSON.stringify(body)}`;
  }

  #put(url, key) {
    const expected =
      this.#version === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${this.#version}"` };
    return fetch(`${url}/v1/config/${this.address}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', 'idempotency-key': key, ...expected },
      body: JSON.stringify({ n: this.#key, text: 'a configuration of ordinary size' }),
      signal: AbortSignal.timeout(DEADLINE_MS),
    }).catch(() => undefined);
  }
}
