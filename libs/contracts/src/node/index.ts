export { sha256 } from './sha256.js';
export { makeFolder } from './make-folder.js';
