/** The paths that are served, with their methods. */
export class KnownRoutes {
  readonly #methods = new Map<string, Set<string>>();

  /** `url` is a path, or ends in `*` for everything below it. */
  add(url: string, methods: readonly string[]): void {
    const known = this.#methods.get(url) ?? new Set();
    for (const method of methods) known.add(method);
    this.#methods.set(url, known);
  }

  /** What may be asked of a path, in alphabetical order; nothing when it is not served. */
  methodsAt(path: string): readonly string[] {
    const found = new Set<string>();
    for (const [url, methods] of this.#methods) {
      const matches = url.endsWith('*') ? path.startsWith(url.slice(0, -1)) : path === url;
      if (matches) for (const method of methods) found.add(method);
    }
    return [...found].sort();
  }
}
