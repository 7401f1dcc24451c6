// Asks the server. An error carries the server's own words and the request's id.

import { fetchWith } from "./token";

/** A slow answer is worth less than the next try. */
const PATIENCE_MS = 20_000;

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly requestId: string | null,
    /** The member of the request that is wrong, where it is one. */
    readonly field: string | null = null,
  ) {
    super(detail || title);
  }
}

interface Problem {
  title?: string;
  detail?: string;
  request_id?: string;
  field?: string | null;
}

async function problem(answer: Response): Promise<ApiError> {
  const body: Problem = await answer.json().catch(() => ({}));
  return new ApiError(answer.status, body.title ?? `The server answered ${answer.status}`, body.detail ?? "", body.request_id ?? answer.headers.get("x-request-id"), body.field ?? null);
}

async function ask(path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const either = signal ? AbortSignal.any([signal, patience]) : patience;
  let answer: Response;
  try {
    answer = await fetchWith(path, { ...init, signal: either });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(0, "No answer", patience.aborted ? `No answer within ${PATIENCE_MS / 1000} s.` : "The server cannot be reached.", null);
  }
  if (!answer.ok) throw await problem(answer);
  return answer;
}

/** What is at an experiment's own addresses. */
export const ofExperiment = (id: string, rest: string): string => `/v1/experiments/${encodeURIComponent(id)}/${rest}`;

/** The JSON at an address. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask(path, { headers: { accept: "application/json" } }, signal)).json();
}

/** The text at an address, for a file: a link cannot show a token. */
export const text = async (path: string): Promise<string> => (await ask(path, {})).text();

/** Takes back what is at an address. */
export const drop = (path: string): Promise<Response> => ask(path, { method: "DELETE" });

/** Sends JSON, and returns the answer's. */
export async function post<T>(path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers = { "content-type": "application/json", accept: "application/json" };
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(body) }, signal)).json();
}
