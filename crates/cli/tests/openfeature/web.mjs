// Evaluates cases through OpenFeature's SDK for browsers and its OFREP provider, both unmodified, in Node.js.
// A new context is one bulk request; values then come from the provider's memory.

import { OpenFeature } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { asked, methods, told, versions } from './cases.mjs';

const headers = Object.entries(asked.headers);
const provider = new OFREPWebProvider({ baseUrl: asked.url, headers, cacheMode: 'disabled', changeDetection: 'none' });
await OpenFeature.setProviderAndWait(provider, {});
const client = OpenFeature.getClient();
const answers = [];
let context = '{}';
for (const it of asked.cases) {
  if (JSON.stringify(it.context) !== context) {
    context = JSON.stringify(it.context);
    await OpenFeature.setContext(it.context);
  }
  answers.push(told(it.name, client[methods[it.type]](it.key, it.default)));
}
const names = ['@openfeature/web-sdk', '@openfeature/ofrep-web-provider'];
process.stdout.write(JSON.stringify({ client: versions(names), answers }));
await OpenFeature.close();
