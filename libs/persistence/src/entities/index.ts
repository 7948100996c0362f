import { ConfigAddressEntity } from './config-address.entity.js';
import { ConfigDefinitionEntity } from './config-definition.entity.js';
import { ConfigSchemaEntity } from './config-schema.entity.js';
import { ConfigSnapshotEntity } from './config-snapshot.entity.js';
import { ConsumerRunSinceEntity } from './consumer-run-since.entity.js';
import { ConsumerRunEntity } from './consumer-run.entity.js';
import { ConsumerStatusEntity } from './consumer-status.entity.js';
import { HistoryEntryEntity } from './history-entry.entity.js';
import { IdempotencyRecordEntity } from './idempotency-record.entity.js';
import { InstallationEntity } from './installation.entity.js';
import { ShardFenceEntity } from './shard-fence.entity.js';
import { SnapshotPublishedEntity } from './snapshot-published.entity.js';
import { WebhookCursorEntity } from './webhook-cursor.entity.js';
import { WebhookSetAsideEntity } from './webhook-set-aside.entity.js';

/** Every table of the truth and of the status projection. */
export const ENTITIES = [
  ConfigAddressEntity,
  ConfigDefinitionEntity,
  ConfigSchemaEntity,
  ConfigSnapshotEntity,
  ConsumerRunEntity,
  ConsumerRunSinceEntity,
  ConsumerStatusEntity,
  HistoryEntryEntity,
  IdempotencyRecordEntity,
  InstallationEntity,
  ShardFenceEntity,
  SnapshotPublishedEntity,
  WebhookCursorEntity,
  WebhookSetAsideEntity,
];
