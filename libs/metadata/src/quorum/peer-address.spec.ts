import { expect, it } from 'vitest';
import { addressText, isAddress, parseAddress } from './peer-address.js';

it.each([
  ['10.0.0.1:7480', { host: '10.0.0.1', port: 7480 }],
  ['node-1.example:1', { host: 'node-1.example', port: 1 }],
  ['[::1]:65535', { host: '::1', port: 65_535 }],
])('takes %s apart and puts it together', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
  expect(addressText(address)).toBe(text);
  expect(isAddress(text)).toBe(true);
});

it.each(['', 'host', ':7480', 'host:', 'host:0', 'host:65536', 'host:7480x', 'host:1.5'])(
  'does not take %j for one',
  (text) => {
    expect(isAddress(text)).toBe(false);
  },
);
