export { Applier } from './applier.js';
export type { ApplierEnvironment } from './applier.js';
export type {
  ApplierEffect,
  ApplierInput,
  ApplyEffect,
  FetchEffect,
  Rejection,
  ValidateEffect,
} from './applier-io.js';
export { adoptInline, decodeContent } from './decode-content.js';
export type { DecodedContent } from './decode-content.js';
export { InstallationPin } from './installation-pin.js';
export { contentOf } from './last-known-good.js';
export type { LastKnownGood, Restored, SnapshotName, VariantContent } from './last-known-good.js';
export { isForward, isNewer, isSameName, newest } from './version-point.js';
export type { VersionPoint } from './version-point.js';
