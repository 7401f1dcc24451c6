// What OpenFeature's provider for browsers does while definitions change: tags and 304, polling, streams, other contexts, a wrong token.
//
// Standard input: {"url", "headers", "wrong", "directory"}. The program rewrites live.yaml in that directory of definitions.
// Standard output: one JSON object, a member for each of the steps below.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const asked = JSON.parse(readFileSync(0, 'utf8'));
// A busy machine is no failure.
const PATIENCE_MS = 60_000;

/** Waits until a condition holds. */
async function until(what, holds) {
  const end = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`${what} did not happen; requests: ${JSON.stringify(requests.slice(-5))}`);
    await sleep(5);
  }
}

/** Serves another variant of the flag `live` from now on. */
function change(variant) {
  const text = `kind: flag\nid: live\ntype: string\nvariants: { a: a, b: b, c: c, d: d }\ndefault: ${variant}\n`;
  writeFileSync(`${asked.directory}.new`, text);
  renameSync(`${asked.directory}.new`, `${asked.directory}/live.yaml`);
}

/** Requests of the provider as they went over the wire. */
const requests = [];
async function watched(request) {
  const response = await fetch(request);
  requests.push({
    query: new URL(request.url).search,
    ifNoneMatch: request.headers.get('if-none-match'),
    status: response.status,
    etag: response.headers.get('etag'),
  });
  return response;
}

let changes = [];
OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, (event) => changes.push(...(event.flagsChanged ?? [])));

function provider(options) {
  requests.length = 0;
  changes = [];
  const headers = Object.entries(asked.headers);
  return new OFREPWebProvider({ baseUrl: asked.url, headers, fetchImplementation: watched, cacheMode: 'disabled', ...options });
}

const live = () => OpenFeature.getClient().getStringValue('live', 'code');
const report = {};

// Polling sends the tag back and gets 304, until something changes.
change('a');
await OpenFeature.setProviderAndWait(provider({ changeDetection: 'polling', pollInterval: 50 }), { targetingKey: 'user-1' });
await until('the first version', () => live() === 'a');
const tag = () => requests.findLast((it) => it.status === 200).etag;
await until('a 304', () => requests.some((it) => it.status === 304 && it.ifNoneMatch === tag()));
changes = [];
const quiet = requests.length;
await until('more of them', () => requests.length >= quiet + 3);
report.unchanged = {
  quoted: tag().startsWith('"'),
  statuses: [...new Set(requests.slice(quiet).map((it) => it.status))],
  changes: changes.length,
};
const before = tag();
changes = [];
change('b');
await until('a change by polling', () => live() === 'b');
report.polling = { flags: changes, otherTag: tag() !== before };

// The same unit with another attribute sends the tag of the first context along.
await OpenFeature.setContext({ targetingKey: 'user-1', email: 'ann@example.org' });
const off = OpenFeature.getClient().getBooleanValue('new-search', true);
await OpenFeature.setContext({ targetingKey: 'user-1', email: 'ann@example.com' });
report.context = { off, on: OpenFeature.getClient().getBooleanValue('new-search', false) };
await OpenFeature.close();

// A stream says that something changed; the provider asks again and names what it heard.
const streams = [];
let gate = Promise.resolve();
globalThis.EventSource = class extends EventSource {
  constructor(url) {
    super(url, { fetch: (input, init) => gate.then(() => fetch(input, init)) });
    streams.push(this);
  }
};
await OpenFeature.setProviderAndWait(provider({}), { targetingKey: 'user-1' });
await until('a stream', () => streams.length === 1 && streams[0].readyState === 1);
changes = [];
const changed = Date.now();
change('c');
await until('a change by stream', () => live() === 'c');
const refetch = requests.findLast((it) => it.status === 200);
report.stream = {
  flags: changes,
  named: new URLSearchParams(refetch.query).has('flagConfigEtag'),
  milliseconds: Date.now() - changed,
  requests: requests.length,
};
// Another context brings another answer, and with the same address in it the stream stays open.
await sleep(1_100);
await OpenFeature.setContext({ targetingKey: 'user-1', email: 'ann@example.com' });
report.stream.connections = streams.length;
await OpenFeature.close();

// What changes between the first answer and the opening of the stream is not missed.
let open;
gate = new Promise((resolve) => (open = resolve));
streams.length = 0;
await OpenFeature.setProviderAndWait(provider({}), { targetingKey: 'user-1' });
await until('a stream', () => streams.length === 1);
change('d');
await sleep(1_000);
const between = live();
open();
await until('a change before the stream', () => live() === 'd');
report.gap = { between, after: live() };
await OpenFeature.close();

// A wrong token is fatal: the provider gives up for good and applications get their own values.
if (asked.wrong) {
  const fatal = provider({ headers: Object.entries(asked.wrong) });
  const problem = await OpenFeature.setProviderAndWait(fatal, { targetingKey: 'user-1' }).then(() => null, (it) => it);
  await sleep(300);
  const details = OpenFeature.getClient().getStringDetails('live', 'code');
  report.fatal = {
    code: problem?.code,
    status: OpenFeature.getClient().providerStatus,
    requests: requests.length,
    answer: requests[0]?.status,
    value: details.value,
    error: details.errorCode,
  };
}
process.stdout.write(JSON.stringify(report));
process.exit(0);
