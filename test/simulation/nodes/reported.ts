import { parseAddress } from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import type { SimulatedConsumer } from './consumer.js';
import type { Violations } from './violations.js';

/**
 * What a node says that consumers run is what they ran by then, or less (I8): applied is what they
 * report, and never inferred from what is published.
 */
export async function checkReported(
  use: ConfigEngine,
  consumers: readonly SimulatedConsumer[],
  judge: Violations,
): Promise<void> {
  for (const consumer of consumers) {
    const parsed = parseAddress(consumer.address);
    if (!parsed.ok) continue;
    const page = await use.listConsumers(parsed.address, { limit: 1_000 });
    if (!page.ok) continue;
    for (const { incarnation, version, highestVersion, cohort, consumerId } of page.value.items) {
      if (consumerId !== consumer.id) continue;
      const ran = consumer.ran.get(incarnation) ?? 0;
      const what = `${incarnation} is said to run ${version} at ${consumer.address}, and ran ${ran} (I8)`;
      judge.demand(version <= ran, what);
      const isRunAs =
        cohort === undefined || consumer.ranAs.has(`${incarnation} ${version} ${cohort}`);
      judge.demand(isRunAs, `${what}: as ${cohort}, too`);
      judge.demand((highestVersion ?? 0) <= consumer.highest, `${what}: the highest too`);
    }
  }
}
