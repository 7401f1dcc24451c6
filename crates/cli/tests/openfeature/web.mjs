// Evaluates cases through OpenFeature's SDK for browsers and its OFREP provider, both unmodified, in Node.js.
// Standard input and output are those of client.py. A new context is one bulk request; values then come from the provider's memory.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { OpenFeature } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const asked = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(import.meta.url);
const versionOf = (name) => {
  // Some packages export no package.json; what they export lies below it.
  const entry = require.resolve(name);
  const root = entry.slice(0, entry.indexOf(`${name}/`) + name.length);
  return JSON.parse(readFileSync(`${root}/package.json`, 'utf8')).version;
};
const versions = ['@openfeature/web-sdk', '@openfeature/ofrep-web-provider']
  .map((name) => `${name} ${versionOf(name)}`)
  .join(', ');

const ask = {
  boolean: 'getBooleanDetails',
  string: 'getStringDetails',
  integer: 'getNumberDetails',
  float: 'getNumberDetails',
  object: 'getObjectDetails',
};

const provider = new OFREPWebProvider({
  baseUrl: asked.url,
  headers: Object.entries(asked.headers),
  cacheMode: 'disabled',
  changeDetection: 'none',
});
const answers = [];
let context;
for (const it of asked.cases) {
  if (JSON.stringify(it.context) !== context) {
    const first = context === undefined;
    context = JSON.stringify(it.context);
    if (first) await OpenFeature.setProviderAndWait(provider, it.context);
    else await OpenFeature.setContext(it.context);
  }
  const details = OpenFeature.getClient()[ask[it.type]](it.key, it.default);
  answers.push({
    name: it.name,
    value: details.value,
    variant: details.variant,
    reason: details.reason,
    error: details.errorCode,
    message: details.errorMessage,
    metadata: details.flagMetadata,
  });
}
process.stdout.write(JSON.stringify({ client: versions, answers }));
await OpenFeature.close();
