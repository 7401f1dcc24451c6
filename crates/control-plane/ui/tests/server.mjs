// Serves the built page with fixtures instead of an engine, the way the engine serves it. `node tests/server.mjs [port]` for development;
// tests start it themselves and decide what its streams say.

import { createServer } from "node:http";
import { readFileSync, existsSync, statSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const DIST = join(here, "../dist");
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
const KINDS = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".txt": "text/plain", ".json": "application/json" };

export const fixture = (name) => JSON.parse(readFileSync(join(here, "fixtures", `${name}.json`), "utf8"));

/** Everything that the server answers; tests change it. */
export function world() {
  return {
    list: fixture("list"),
    results: { hillstrom: fixture("hillstrom.results") },
    history: fixture("hillstrom.history"),
    split: fixture("hillstrom.split"),
    log: fixture("hillstrom.log"),
    definitions: { 3: fixture("hillstrom.definition"), 2: fixture("hillstrom.definition.2") },
    plan: fixture("plan.always_valid"),
    peek: fixture("peek.44"),
    status: fixture("status"),
    /** What a verification answers, one after the other; the last one stays. */
    verifications: [],
    /** A status to answer everything under /v1 with. */
    broken: null,
    /** What readers have to show. */
    token: null,
    /** Whether index.html carries the newest look. */
    inside: true,
  };
}

export async function start(port = 0, state = world()) {
  const streams = new Set();
  const asked = [];
  const server = createServer((request, answer) => {
    const url = new URL(request.url, "http://fixture");
    asked.push({ path: url.pathname + url.search, last: request.headers["last-event-id"] ?? null });
    if (url.pathname.startsWith("/v1/")) return api(state, url, request, answer, streams);
    page(state, url, answer);
  });
  await new Promise((ready) => server.listen(port, "127.0.0.1", ready));
  const beat = setInterval(() => [...streams].forEach((it) => it.write(event("beat", { server_time: later(state, it.since), look: state.list.look, log_times: {} }))), 5000);
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    state,
    asked,
    streams,
    /** Sends an event to every open stream of an address. */
    push: (path, name, data, id) => [...streams].filter((it) => it.path === path).forEach((it) => it.write(event(name, data, id))),
    /** Cuts every open stream. */
    cut: () => [...streams].forEach((it) => it.destroy()),
    stop: () =>
      new Promise((done) => {
        clearInterval(beat);
        server.closeAllConnections();
        server.close(done);
      }),
  };
}

const event = (name, data, id) => `event: ${name}\n${id ? `id: ${id}\n` : ""}data: ${JSON.stringify(data)}\n\n`;
const later = (state, since) => new Date(Date.parse(state.list.server_time) + (Date.now() - since)).toISOString();

function send(answer, status, body, kind = "application/json") {
  answer.writeHead(status, { "content-type": kind, "x-request-id": "7f3a91", "cache-control": "no-store" }).end(typeof body === "string" ? body : JSON.stringify(body));
}

const problem = (answer, status, title, detail) => send(answer, status, { type: "about:blank", title, status, detail, request_id: "7f3a91" }, "application/problem+json");

function api(state, url, request, answer, streams) {
  const [, , first, id, what] = url.pathname.split("/");
  if (state.token && request.headers.authorization !== `Bearer ${state.token}`) return problem(answer, 401, "Unauthorized", "this needs the read token");
  if (state.broken) return problem(answer, state.broken, "Not now", "The config store is away.");
  if (first === "stream" || what === "stream") return stream(url.pathname, request, answer, streams);
  if (first === "plan" || first === "peek" || first === "status") return send(answer, 200, state[first]);
  if (first === "experiments" && !id) return send(answer, 200, state.list);
  const results = state.results[id];
  if (first !== "experiments" || !results) return problem(answer, 404, "no-such-experiment", `there is no experiment '${id ?? first}'; /v1/experiments lists all`);
  const look = url.searchParams.get("look");
  switch (what) {
    case "results":
      return send(answer, 200, look ? { ...results, look, freshness: { ...results.freshness, log_time: look } } : results);
    case "history":
      return send(answer, 200, url.searchParams.get("metric") === "srm" ? state.split : historyOf(state.history, url.searchParams));
    case "log":
      return send(answer, 200, { ...state.log, experiment: id });
    case "results.csv":
      return send(answer, 200, `experiment,look\n${id},${look}\n`, "text/csv; charset=utf-8");
    case "verify":
      return verify(state, id, look, request, answer);
    case "definition":
      return send(answer, 200, state.definitions[url.searchParams.get("version") ?? 3] ?? state.definitions[3]);
    default:
      return problem(answer, 404, "no-such-place", `there is nothing at ${url.pathname}`);
  }
}

function verify(state, id, look, request, answer) {
  const [now] = state.verifications;
  if (request.method === "DELETE") state.verifications = [];
  if (request.method === "DELETE") return answer.writeHead(204).end();
  if (!now) return problem(answer, 422, "elsewhere", "the log is not on this machine; run this beside it, and compare: assay replay --json --log kafka://broker:9092");
  if (state.verifications.length > 1) state.verifications.shift();
  send(answer, request.method === "POST" ? 202 : 200, { experiment: id, look: look ?? "2026-11-23T18:42:06Z", ...now });
}

function historyOf(history, asked) {
  const metric = asked.get("metric") ?? "conversion";
  const to = asked.get("to") ?? "9";
  const series = Object.entries(history.series).filter(([key]) => key.startsWith(`${metric}/`));
  return { ...history, series: Object.fromEntries(series.map(([key, rows]) => [key, rows.filter((row) => row[0] <= to)])) };
}

function stream(path, request, answer, streams) {
  answer.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  answer.write(": open\n\n");
  const it = { path, last: request.headers["last-event-id"] ?? null, since: Date.now(), write: (text) => answer.write(text), destroy: () => answer.destroy() };
  streams.add(it);
  answer.on("close", () => streams.delete(it));
}

function page(state, url, answer) {
  const path = normalize(url.pathname).replace(/^(\.\.[/\\])+/, "");
  const file = join(DIST, path);
  if (path !== "/" && path !== "/index.html" && existsSync(file) && statSync(file).isFile()) {
    answer.writeHead(200, { "content-type": KINDS[extname(file)] ?? "application/octet-stream", "cache-control": "public, max-age=31536000, immutable" });
    return answer.end(readFileSync(file));
  }
  const id = /^\/experiments\/([^/]+)/.exec(path)?.[1];
  const look = state.broken || state.token || !state.inside ? null : id ? (state.results[id] ?? null) : state.list;
  const html = readFileSync(join(DIST, "index.html"), "utf8");
  const place = '<script type="application/json" id="look">';
  const [before, after] = html.split(place);
  answer.writeHead(200, { "content-type": KINDS[".html"], "content-security-policy": POLICY });
  answer.end(before + place + JSON.stringify(look).replaceAll("<", "\\u003c") + after);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await start(Number(process.argv[2] ?? 4173));
  console.log(url);
}
