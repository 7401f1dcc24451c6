// Evaluates cases through OpenFeature's SDK for servers in JavaScript and its OFREP provider, both unmodified.
// Standard input and output are those of client.py.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

const asked = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(import.meta.url);
const versions = ['@openfeature/server-sdk', '@openfeature/ofrep-provider', '@openfeature/ofrep-core']
  .map((name) => `${name} ${require(`${name}/package.json`).version}`)
  .join(', ');

const ask = {
  boolean: 'getBooleanDetails',
  string: 'getStringDetails',
  integer: 'getNumberDetails',
  float: 'getNumberDetails',
  object: 'getObjectDetails',
};

await OpenFeature.setProviderAndWait(
  new OFREPProvider({ baseUrl: asked.url, headers: Object.entries(asked.headers) }),
);
const client = OpenFeature.getClient();
const answers = [];
for (const it of asked.cases) {
  const details = await client[ask[it.type]](it.key, it.default, it.context);
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
