// Evaluates cases through OpenFeature's SDK for servers in JavaScript and its OFREP provider, both unmodified.

import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { asked, methods, told, versions } from './cases.mjs';

const headers = Object.entries(asked.headers);
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: asked.url, headers }));
const client = OpenFeature.getClient();
const answers = [];
for (const it of asked.cases) {
  answers.push(told(it.name, await client[methods[it.type]](it.key, it.default, it.context)));
}
const names = ['@openfeature/server-sdk', '@openfeature/ofrep-provider', '@openfeature/ofrep-core'];
process.stdout.write(JSON.stringify({ client: versions(names), answers }));
