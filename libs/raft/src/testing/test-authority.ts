import { generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { PeerTls } from '../node/transport/transport-options.js';

/** A certificate authority that lives for one test: just enough X.509 (RFC 5280) in DER. */
export class TestAuthority {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #name: string;
  readonly certificate: string;

  constructor(name: string) {
    this.#name = name;
    const { publicKey, privateKey } = this.#keys;
    this.certificate = certificate({ issuer: name, subject: name, publicKey, privateKey });
  }

  /** What a node is started with that trusts this authority, or `ca`. */
  issue(subject: string, ca = this.certificate): PeerTls {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const parts = { issuer: this.#name, subject, publicKey, privateKey: this.#keys.privateKey };
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    return { key, cert: certificate(parts), ca };
  }
}

interface Parts {
  readonly issuer: string;
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const ECDSA_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex');
const COMMON_NAME = Buffer.from('0603550403', 'hex');
const BASIC_CONSTRAINTS = Buffer.from('0603551d13', 'hex');
const TRUE = Buffer.from('0101ff', 'hex');
const ALTERNATIVE_NAME = Buffer.from('0603551d11', 'hex');
/** Clients that look at names find this machine. */
const THIS_MACHINE = [der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1]))];

let serial = 0;

function certificate({ issuer, subject, publicKey, privateKey }: Parts): string {
  const authority = der(SEQUENCE, issuer === subject ? TRUE : Buffer.alloc(0));
  const constraints = der(SEQUENCE, BASIC_CONSTRAINTS, TRUE, der(0x04, authority));
  const names = der(SEQUENCE, ALTERNATIVE_NAME, der(0x04, der(SEQUENCE, ...THIS_MACHINE)));
  serial += 1;
  const body = der(
    SEQUENCE,
    Buffer.from('a003020102', 'hex'),
    der(0x02, Buffer.from([1, serial])),
    der(SEQUENCE, ECDSA_SHA256),
    name(issuer),
    der(SEQUENCE, time(2000), time(2049)),
    name(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, constraints, names)),
  );
  const signature = sign('sha256', body, privateKey);
  const whole = der(
    SEQUENCE,
    body,
    der(SEQUENCE, ECDSA_SHA256),
    der(0x03, Buffer.from([0]), signature),
  );
  const lines = whole.toString('base64').replace(/.{64}/g, '$&\n').trim();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function name(commonName: string): Buffer {
  const attribute = der(SEQUENCE, COMMON_NAME, der(0x0c, Buffer.from(commonName)));
  return der(SEQUENCE, der(SET, attribute));
}

function time(year: number): Buffer {
  return der(0x17, Buffer.from(`${String(year % 100).padStart(2, '0')}0101000000Z`));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content]);
  if (length < 256) return Buffer.concat([Buffer.from([tag, 0x81, length]), content]);
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 255]), content]);
}
