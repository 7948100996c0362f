/** One thing that must work before a node takes requests. */
export interface ReadinessCheck {
  readonly name: string;
  /** Resolves with `null` when fine, else with what is wrong; a rejection counts as wrong, too. */
  check(): Promise<string | null>;
  /** It is shown, and keeps nothing from being ready. */
  readonly shownOnly?: true;
}

export interface ReadinessReport {
  readonly ready: boolean;
  /** By name of the check: `ok`, or what is wrong. */
  readonly checks: Readonly<Record<string, string>>;
}

/** How long one check may take before it counts as failed. */
const CHECK_DEADLINE_MS = 2_000;

/** Runs all checks side by side, each under a deadline; askers that come meanwhile share the run. */
export class Readiness {
  #running: Promise<ReadinessReport> | undefined;

  constructor(
    private readonly checks: readonly ReadinessCheck[],
    private readonly deadlineMs = CHECK_DEADLINE_MS,
  ) {}

  report(): Promise<ReadinessReport> {
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(): Promise<ReadinessReport> {
    const results = await Promise.all(this.checks.map((check) => this.#one(check)));
    return {
      ready: results.every(
        ([, verdict], at) => verdict === 'ok' || this.checks[at]?.shownOnly === true,
      ),
      checks: Object.fromEntries(results),
    };
  }

  async #one(check: ReadinessCheck): Promise<[string, string]> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`no answer within ${this.deadlineMs} ms`), this.deadlineMs);
    });
    try {
      return [check.name, (await Promise.race([check.check(), deadline])) ?? 'ok'];
    } catch (error) {
      return [check.name, error instanceof Error ? error.message : String(error)];
    } finally {
      clearTimeout(timer);
    }
  }
}
