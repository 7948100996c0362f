import {
  ownProcess,
  rememberInstallation,
  removeEndpoints,
  writeEndpoints,
  type Endpoints,
} from '@pawl/platform';

/** What this node says of itself in its data folder. */
export class OwnEndpoints {
  readonly #about: Endpoints;

  /** `about`: addresses of what it uses, without passwords, and of its member of the quorum. */
  constructor(
    private readonly dataDir: string,
    about: Omit<Endpoints, 'installation' | 'http' | 'processes' | 'processStart'>,
  ) {
    this.#about = { ...about, ...ownProcess('controlPlane') };
  }

  /** It is there, and serves nothing yet. */
  starting(): Promise<void> {
    return writeEndpoints(this.dataDir, this.#about);
  }

  /** It serves that installation, `<name>/<id>`, at the base URL `http`. */
  async serving(http: string, installation: string): Promise<void> {
    await rememberInstallation(this.dataDir, installation);
    await writeEndpoints(this.dataDir, { installation, http, ...this.#about });
  }

  remove(): Promise<void> {
    return removeEndpoints(this.dataDir, process.pid);
  }
}
