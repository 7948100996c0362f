import type { DistributionLogger } from '../connection/logger.js';

/** A logger that keeps what it is told. */
export function recordingLogger(): DistributionLogger & { readonly lines: string[] } {
  const lines: string[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  return {
    lines,
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
  };
}

/** A promise and the function that resolves it. */
export function signal<T = void>(): {
  readonly promise: Promise<T>;
  readonly fire: (value: T) => void;
} {
  let fire: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => (fire = resolve));
  return { promise, fire };
}
