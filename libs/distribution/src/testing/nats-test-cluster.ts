import { freePort, NatsTestServer } from './nats-test-server.js';

/** nats-servers with JetStream that form one cluster; made, not started. */
export class NatsTestCluster {
  private constructor(private readonly named: ReadonlyMap<string, NatsTestServer>) {}

  static async create(names: readonly string[]): Promise<NatsTestCluster> {
    const ports: number[] = [];
    while (ports.length < names.length) {
      const port = await freePort();
      if (!ports.includes(port)) ports.push(port);
    }
    const routes = ports.map((port) => `nats://127.0.0.1:${port}`);
    const named = new Map<string, NatsTestServer>();
    for (const [at, name] of names.entries()) {
      const own = ['-n', name, '--cluster', routes[at] ?? ''];
      const cluster = ['--cluster_name', 'test', '--routes', routes.join(',')];
      named.set(name, await NatsTestServer.create(['-js', ...own, ...cluster]));
    }
    return new NatsTestCluster(named);
  }

  /** All servers, as clients are given them. */
  get url(): string {
    return [...this.named.values()].map(({ url }) => url).join(',');
  }

  server(name: string | undefined): NatsTestServer {
    const server = this.named.get(name ?? '');
    if (server === undefined) throw new Error(`no server ${name}`);
    return server;
  }

  async dispose(): Promise<void> {
    for (const server of this.named.values()) await server.dispose();
  }
}
