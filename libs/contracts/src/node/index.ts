export { basicAuthorization } from './basic-authorization.js';
export { sha256 } from './sha256.js';
export { makeFolder } from './make-folder.js';
export { isAlive, ownIdentity } from './process-identity.js';
export type { ProcessIdentity, WrittenIdentity } from './process-identity.js';
export { postText } from './post-text.js';
export type { PostAnswer, Posted } from './post-text.js';
export { isWebhookSecret, signWebhook } from './sign-webhook.js';
export type { WebhookMessage } from './sign-webhook.js';
