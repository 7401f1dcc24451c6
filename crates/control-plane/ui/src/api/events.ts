// Server-sent events over fetch. EventSource cannot be told where to go on after a page has closed it, and hides why it failed.

import { ApiError } from "./client";
import { fetchWith } from "./token";

export interface ServerEvent {
  id: string | null;
  event: string;
  data: string;
}

/** A server that never ends a line must not fill this browser's memory. */
const LINE_MAX = 16 * 1024 * 1024;

/** Cuts text that comes in any pieces into events. Pure but for what it remembers of an unfinished line. */
export class EventParser {
  #rest = "";
  #id: string | null = null;
  #event = "";
  #data: string[] = [];

  push(text: string): ServerEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LINE_MAX) throw new Error("an event is larger than any result");
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): ServerEvent[] {
    if (line === "") return this.#end();
    const [, name, value] = /^([^:]*)(?::\s?(.*))?$/s.exec(line) ?? [];
    if (name === "data") this.#data.push(value ?? "");
    if (name === "event") this.#event = value ?? "";
    if (name === "id") this.#id = value ?? null;
    // Comments keep the connection open and say nothing.
    return [];
  }

  #end(): ServerEvent[] {
    const [event, data] = [this.#event || "message", this.#data];
    this.#event = "";
    this.#data = [];
    return data.length === 0 ? [] : [{ id: this.#id, event, data: data.join("\n") }];
  }
}

/** Reads a stream until it ends or is aborted. `opened` is called when the server has agreed. */
export async function readEvents(path: string, lastId: string | null, signal: AbortSignal, opened: () => void, each: (event: ServerEvent) => void): Promise<void> {
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (lastId !== null) headers["Last-Event-ID"] = lastId;
  const answer = await fetchWith(path, { headers, signal, cache: "no-store" });
  if (!answer.ok || !answer.body) throw new ApiError(answer.status, "No stream", "", answer.headers.get("x-request-id"));
  opened();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    for (const event of parser.push(value)) each(event);
  }
}
