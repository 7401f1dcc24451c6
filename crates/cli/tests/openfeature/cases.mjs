// What the programs of JavaScript have in common: what is asked, and how it is told. The formats are those of client.py.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

export const asked = JSON.parse(readFileSync(0, 'utf8'));

/** The method of a client that asks for a type; numbers are of one type here. */
export const methods = {
  boolean: 'getBooleanDetails',
  string: 'getStringDetails',
  integer: 'getNumberDetails',
  float: 'getNumberDetails',
  object: 'getObjectDetails',
};

/** Names and versions of packages that are installed. */
export function versions(names) {
  const require = createRequire(import.meta.url);
  const version = (name) => {
    // Most packages export no package.json; what they export lies below it.
    const entry = require.resolve(name);
    const root = entry.slice(0, entry.lastIndexOf(`${name}/`) + name.length);
    return JSON.parse(readFileSync(`${root}/package.json`, 'utf8')).version;
  };
  return names.map((name) => `${name} ${version(name)}`).join(', ');
}

/** What an application sees of an answer. */
export function told(name, { value, variant, reason, errorCode, errorMessage, flagMetadata }) {
  return { name, value, variant, reason, error: errorCode, message: errorMessage, metadata: flagMetadata };
}
