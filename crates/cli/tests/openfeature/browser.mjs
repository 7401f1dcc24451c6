// A page of another origin in a real browser: OpenFeature's SDK and provider for browsers, unmodified, ask the edge across origins.
//
// Standard input: {"url", "headers", "browser", "directory", "modules"}. Standard output: the report that the page sends.
// `directory` is one for the browser's profile; `modules` is where npm put the packages.

import { spawn } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const asked = JSON.parse(readFileSync(0, 'utf8'));
// A busy machine is no failure.
const PATIENCE_MS = 90_000;

const imports = {
  '@openfeature/core': '/modules/@openfeature/core/dist/esm/index.js',
  '@openfeature/web-sdk': '/modules/@openfeature/web-sdk/dist/esm/index.js',
  '@openfeature/ofrep-web-provider': '/modules/@openfeature/ofrep-web-provider/index.esm.js',
  '@openfeature/ofrep-core': '/modules/@openfeature/ofrep-web-provider/node_modules/@openfeature/ofrep-core/index.esm.js',
};

// Runs in the page; what it uses of the edge is what the browser lets it see.
async function page({ url, headers }) {
  const { OpenFeature, ProviderEvents } = await import('@openfeature/web-sdk');
  const { OFREPWebProvider } = await import('@openfeature/ofrep-web-provider');
  const seen = [];
  const watched = async (request) => {
    const response = await fetch(request);
    seen.push({ status: response.status, etag: response.headers.get('etag'), version: response.headers.get('x-config-version') });
    return response;
  };
  const until = async (holds) => {
    const end = Date.now() + 30_000;
    while (!holds() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const streams = [];
  const Native = EventSource;
  globalThis.EventSource = class extends Native {
    constructor(...all) {
      super(...all);
      streams.push(this);
    }
  };
  const make = (more) =>
    new OFREPWebProvider({ baseUrl: url, headers: Object.entries(headers), fetchImplementation: watched, ...more });
  const context = { targetingKey: 'user-1', email: 'ann@example.com' };
  const value = () => {
    const { value, variant, reason } = OpenFeature.getClient().getBooleanDetails('new-search', false);
    return { value, variant, reason };
  };
  await OpenFeature.setProviderAndWait(make(), context);
  const report = { first: value() };
  await until(() => streams.length > 0 && streams[0].readyState === 1);
  report.stream = streams[0]?.readyState === 1;
  await OpenFeature.clearProviders();
  // The next page load: flags come from the browser's memory at once, and the tag saves the answer.
  seen.length = 0;
  await OpenFeature.setProviderAndWait(make(), context);
  report.second = value();
  await until(() => seen.length > 0);
  report.refresh = seen[0];
  await OpenFeature.clearProviders();
  // What a wrong token gets is readable too: without the headers for other origins the provider would take it for a network failure.
  seen.length = 0;
  const wrong = make({ headers: [['Authorization', 'Bearer wrong']], cacheMode: 'disabled' });
  const problem = await OpenFeature.setProviderAndWait(wrong, context).then(() => null, (it) => it);
  report.wrong = { status: seen[0]?.status, code: problem?.code };
  return report;
}

const script = `(${page})(${JSON.stringify({ url: asked.url, headers: asked.headers })})
  .catch((problem) => ({ problem: String(problem?.stack ?? problem) }))
  .then((report) => fetch('/report', { method: 'POST', body: JSON.stringify(report) }));`;
const html = `<!doctype html><meta charset="utf-8"><title>Page</title>
<script type="importmap">${JSON.stringify({ imports })}</script><script type="module">${script}</script>`;

const reported = new Promise((resolve) => {
  const server = createServer((request, response) => {
    if (request.url === '/report') {
      let body = '';
      request.on('data', (part) => (body += part)).on('end', () => resolve(body));
      response.end();
    } else if (request.url.startsWith('/modules/') && !request.url.includes('..')) {
      response.setHeader('content-type', 'text/javascript; charset=utf-8');
      createReadStream(`${asked.modules}/${request.url.slice('/modules/'.length)}`)
        .on('error', () => response.writeHead(404).end())
        .pipe(response);
    } else {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(request.url === '/' ? html : '');
    }
  });
  server.listen(0, '127.0.0.1', () => {
    const options = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
    const profile = `--user-data-dir=${asked.directory}`;
    const address = `http://127.0.0.1:${server.address().port}/`;
    const browser = spawn(asked.browser, [...options, profile, address], { stdio: 'ignore' });
    browser.on('error', (problem) => resolve(JSON.stringify({ problem: String(problem) })));
    setTimeout(() => resolve(JSON.stringify({ problem: 'the page reported nothing' })), PATIENCE_MS).unref();
    process.on('exit', () => browser.kill('SIGKILL'));
  });
});
process.stdout.write(await reported, () => process.exit(0));
