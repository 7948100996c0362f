/** Injection token of the `ConfigEngine`: the use-cases behind every controller. */
export const CONFIG_ENGINE = Symbol('ConfigEngine');

/** Injection token of {@link ServesRoot}. */
export const SERVES_ROOT = Symbol('ServesRoot');

/** Whether this node serves the shard of a root; what concerns any other is for another node. */
export type ServesRoot = (root: string) => boolean;

/** Injection token of the `RestoreUseCases`. */
export const RESTORE = Symbol('RestoreUseCases');

/** Injection token of the `WebhookUseCases`. */
export const WEBHOOKS = Symbol('WebhookUseCases');

/** Injection token of the installation that this node serves: `<name>/<id>`. */
export const INSTALLATION = Symbol('Installation');

/** Injection token of {@link QuorumMembers}. */
export const QUORUM_MEMBERS = Symbol('QuorumMembers');
