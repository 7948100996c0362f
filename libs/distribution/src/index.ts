export { connectDistribution } from './connect-distribution.js';
export type { Distribution, DistributionOptions } from './connect-distribution.js';
export type { OwnerCommandClient } from './commands/owner-command-client.js';
export { jetStreamServes } from './connection/jetstream-majority.js';
export type { DistributionLogger } from './connection/logger.js';
export type { StorageLimits } from './publication/stream-config.js';
export { StreamSetupError } from './publication/stream-setup-error.js';
export { CONSUMER_TRAFFIC, OWNER_COMMANDS } from './traffic/consumer-traffic.js';
export type { ConsumerTraffic, OwnerCommands } from './traffic/consumer-traffic.js';
export {
  distributionControllers,
  distributionProviders,
} from './traffic/distribution-controllers.js';
export type { CommandGate } from './traffic/command-gate.port.js';
export { DroppedMessages } from './traffic/dropped-messages.js';
export type {
  DroppedMessagesOptions,
  DropReason,
  TrafficKind,
} from './traffic/dropped-messages.js';
export { PawlNatsServer } from './traffic/pawl-nats.server.js';
export type { PawlNatsServerOptions } from './traffic/pawl-nats.server.js';
