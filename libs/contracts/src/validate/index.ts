export { compileShape } from './compile-shape.js';
export type { ShapeFault } from './compile-shape.js';
export { parseMessage } from './parse-message.js';
export type { MessageKind, Messages, ParsedMessage } from './parse-message.js';
export { isOwnerCommand, isOwnerReply } from './parse-command.js';
