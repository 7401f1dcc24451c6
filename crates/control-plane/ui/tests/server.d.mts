// The shape of the fixture server, for tests in TypeScript.

export interface Asked {
  path: string;
  last: string | null;
}

export interface Fixture {
  url: string;
  /** Fixtures are whatever JSON a test makes of them. */
  state: any;
  asked: Asked[];
  streams: Set<{ path: string }>;
  push(path: string, name: string, data: unknown, id?: string): void;
  cut(): void;
  stop(): Promise<void>;
}

/** What the engine gave, by the name of its file. */
export function fixture(name: string): any;

export function start(port?: number): Promise<Fixture>;
