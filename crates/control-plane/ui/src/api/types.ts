// The shapes that the pages read, by the names that they use.

import type * as schema from "./schema";

export type Guardrail = { margin?: number | null; safe_ln_e?: number | null; harm_ln_e?: number | null; decision?: string };
export type Verdict = { code: string; arguments?: Record<string, unknown> };

export type AlwaysValid = schema.AlwaysValid & { guardrail?: Guardrail };
export type Arm = Omit<schema.Arm, "always_valid"> & { always_valid?: AlwaysValid; guardrail?: Guardrail; verdict?: Verdict };
export type Metric = Omit<schema.Metric, "variants" | "unit"> & { variants: Arm[]; unit: string };
export type Segment = { attribute: string; value: string; units: Record<string, number>; metrics: Metric[] };
export type ExperimentVerdict = {
  code: string;
  arguments?: Record<string, unknown>;
  arms?: { variant: string; code: string; arguments?: Record<string, unknown> }[];
  safe?: string;
  stop?: string;
  blocked_by?: string[];
};
export type Experiment = Omit<schema.Experiment, "metrics" | "segments"> & {
  metrics: Metric[];
  segments: Segment[];
  verdict?: ExperimentVerdict;
  heterogeneity?: { attribute: string; variant?: string; q?: number | null; df?: number; p_value_fixed: number | null; p_value_bh?: number | null }[];
  days_running?: number | null;
  plan_hash?: string;
};
export type Results = Omit<schema.Results, "experiments" | "provisional"> & {
  experiments: Experiment[];
  provisional?: null | Results;
  server_time?: string;
  published_at?: string;
};
export type Freshness = schema.Freshness;
export type Events = schema.Events;
export type Provenance = schema.Provenance;

export interface Row {
  experiment: string;
  title: string;
  owner: string;
  unit_name: string;
  status: "draft" | "running" | "paused" | "stopped";
  group: "attention" | "decided" | "undecided" | "draft" | "stopped";
  started?: string | null;
  days_running?: number | null;
  units?: number;
  pair_units?: number;
  planned_units?: number;
  verdict?: ExperimentVerdict;
  primary?: null | {
    metric: string;
    name: string;
    unit: string;
    direction: "increase" | "decrease";
    variant: string;
    lift: number | null;
    lift_low: number | null;
    lift_high: number | null;
    lift_shape: "bounded" | "exclusive" | "unbounded" | null;
    status: string;
    minimum_effect: number | null;
  };
  alarms?: string[];
}
export interface List {
  look: string;
  freshness: Freshness;
  published_at?: string;
  server_time?: string;
  groups: Record<string, number>;
  experiments: Row[];
}
export interface History {
  experiment: string;
  salt?: string;
  columns: string[];
  series: Record<string, (string | number | null)[][]>;
}
export interface LogEntry {
  at: string | null;
  kind: "version" | "decision" | "alarm";
  actor: string;
  [more: string]: unknown;
}
export interface ExperimentLog {
  experiment: string;
  entries: LogEntry[];
}
export interface Definition {
  experiment: string;
  version: number;
  at: string | null;
  yaml: string;
  definition: Record<string, unknown>;
  versions: { version: number; at: string | null }[];
}
export interface Beat {
  server_time: string;
  look: string | null;
  log_times: Record<string, string>;
}
