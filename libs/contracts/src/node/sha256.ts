import { hash } from 'node:crypto';
import type { Sha256 } from '../sha256.js';

/** {@link Sha256} by Node's OpenSSL. */
export const sha256: Sha256 = (text) => hash('sha256', text, 'hex');
