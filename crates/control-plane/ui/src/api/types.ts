// The shapes that the pages read, as the schemas of the repository say them.

import type * as schema from "./schema";

export type {
  AlwaysValid,
  Arguments,
  Checks,
  Cohort,
  Definition,
  Events,
  Experiment,
  ExperimentLog,
  Freshness,
  History,
  List,
  Metric,
  Results,
  Verdict,
  Verification,
} from "./schema";

export type Arm = schema.Arm;
export type Segment = schema.Experiment["segments"][number];
export type Row = schema.List["experiments"][number];
export type LogEntry = schema.ExperimentLog["entries"][number] & Record<string, unknown>;

/** Says that the connection lives, and how far each partition's log is. */
export interface Beat {
  server_time: string;
  look: string | null;
  log_times: Record<string, string>;
}

/** News of an alarm that came or went. */
export interface Alarm {
  experiment: string;
  code: string;
  state: "raised" | "cleared";
  look: string;
  arguments: schema.Arguments;
}
