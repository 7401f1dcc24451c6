// Made from schemas/json by scripts/types.mjs: change those, not this.

/** Results at one look. The same JSON comes from `assay replay --json`, over HTTP and in the results topic. In the topic each record carries one phase of one experiment; its key is the experiment's id, followed by `/phase=SALT` for an earlier phase, `/provisional` for provisional results, and `/part=N` for further parts. A build writes exactly these fields; readers should ignore fields that they do not know. */
export interface Results {
  /** The instant that all numbers are as of: the end of the last look that is in them. */
  look: string;
  /** Every phase of every experiment, by id; the phase in force comes before earlier ones. */
  experiments: Experiment[];
  events: Events;
  freshness: Freshness;
  provenance: Provenance;
  /** Only where one record cannot carry the results of an experiment. The parts of a look together are the whole: their `metrics` in order, and their `segments` in order, where a segment may go on in the next part. A part with another `look` than part 0 is left over from earlier. */
  part?: {
    /** From 0. */
    index: number;
    /** How many parts the look has. */
    count: number;
  };
  /** Beside an aligned result that is more than 5 s old: the newest sums of each partition, which are not one cut. Never for deciding, and without any running value. Null where there is none. */
  provisional?: null | Results;
}

/** One phase of an experiment. */
export interface Experiment {
  /** Its id. */
  experiment: string;
  /** Tells phases of the same id apart. */
  salt: string;
  /** Whether the definitions in force have this phase. An earlier phase is only read out. */
  in_force: boolean;
  /** For people; may be empty. */
  title: string;
  /** Who answers for it; may be empty. */
  owner: string;
  /** The unit type that is randomised. */
  unit: string;
  /** What a unit is called. */
  unit_name: string;
  /** As defined; an earlier phase is stopped. */
  status: "draft" | "running" | "paused" | "stopped";
  /** Version of the definitions in force at the look, in every partition. */
  config_version: number;
  /** The arms as defined, in their order. */
  variants: {
    /** Its name in events. */
    variant: string;
    /** Its name for people. */
    name: string;
    /** Whether the others are compared with it. */
    control: boolean;
    /** Its share relative to the others. */
    weight: number;
  }[];
  /** Start of the UTC hour of the first exposure that counts; null before it. */
  started: string | null;
  /** Units of all arms a day since `started`; null in the first hour. */
  units_per_day: number | null;
  /** Exposed, uncrossed units of each variant. */
  units: Record<string, number>;
  /** Units that were seen in several variants. */
  crossed_units: number;
  /** Exposures accepted. */
  exposures: number;
  /** Exposures from before the experiment was live, or after it ended: accepted, but of no effect. */
  exposures_outside: number;
  /** Exposures whose variant is not the one that the hash gives. */
  misbucketed: {
    /** The variant shown. */
    variant: string | null;
    /** The library that showed it, as `name/version`; `unknown` where it did not say. */
    sdk: string;
    /** How many. */
    exposures: number;
  }[];
  /** N*: planned units of a pair of arms. Segments use the same. */
  planned_units: number;
  /** Units of a pair after which an always-valid experiment has the power of its plan; null for other methods. */
  max_units: number | null;
  /** Tolerated share of false positives. */
  alpha: number;
  /** Looks that counted for the running values, since the start or since the epoch's; 0 in provisional results. */
  looks_evaluated: number;
  /** How the definition wants it analysed. */
  method: "always_valid" | "fixed_horizon" | "group_sequential" | "bayesian";
  /** Which of the numbers decide. `nothing`: the method is not computed yet, so always-valid numbers are shown and decide nothing. */
  deciding: "always_valid" | "fixed_horizon" | "nothing";
  srm: Srm;
  /** For each segment attribute, how evenly its values fall on the arms. */
  balance: {
    /** Its name. */
    attribute: string;
    /** The largest difference between a treatment's share of units with some value and the control's, in standard deviations of such a share, over all values; null where it is infinite: a value that one arm always has and the other never. */
    std_difference: number | null;
  }[];
  /** Over all units. */
  metrics: Metric[];
  /** By value of the attributes of the first exposure; `other` is last. They explain and never decide. */
  segments: {
    /** The attribute. */
    attribute: string;
    /** Its value, or `other`. */
    value: string;
    /** Exposed, uncrossed units of each variant. */
    units: Record<string, number>;
    /** As for all units. */
    metrics: Metric[];
  }[];
}

/** Whether the arms have the sizes that the weights promise (sample ratio mismatch). */
export interface Srm {
  /** Logarithm of the sequential test's evidence against the split at this look; null where it is infinite: a variant of weight 0 has units. */
  ln_e: number | null;
  /** Of this look. */
  p_value: number;
  /** The least so far, which decides; in provisional results that of this look. */
  p_value_running: number;
  /** Chi-square, valid for one declared look only. */
  p_value_fixed: number;
  /** The running p at or below which the split is called broken. */
  threshold: number;
  /** Whether it is: decisions are refused. */
  alarm: boolean;
  /** First exposures of each variant, crossed units too. */
  counts: Record<string, number>;
  /** Share that each variant should have. */
  expected: Record<string, number | null>;
}

/** A metric of an experiment. */
export interface Metric {
  /** Its id. */
  metric: string;
  /** For people. */
  name: string;
  /** What is computed. */
  type: "conversion" | "count" | "sum" | "ratio" | "retention" | "quantile";
  /** What it is for. */
  role: "primary" | "secondary" | "guardrail";
  /** What a mean is: a share of units, events per unit, value per unit, or one total by another. */
  unit: "rate" | "events" | "value" | "ratio";
  /** Which way is better. */
  direction: "increase" | "decrease";
  /** Which units are in n: all exposed ones with their values so far (`open`), or only those whose window and the lateness of events after it have passed (`matured`). */
  maturity: "open" | "matured";
  /** How long after its first exposure a unit's events count; null until the experiment ends. */
  window_seconds: number | null;
  /** Upper limit of a unit's total. */
  cap: number | null;
  /** Smallest lift worth having. */
  minimum_effect: number | null;
  /** Largest harm that a guardrail tolerates, relative to the control's mean. */
  margin: number | null;
  /** Units whose value may still change, because their window and the lateness of events after it have not passed; by whole hours of first exposure. Only over all units, for metrics with a window. */
  inside_window?: {
    /** How many. */
    units: number;
    /** Of all units; null without any. */
    share: number | null;
  };
  /** Units by hour of first exposure, with their values so far. Only over all units. `1h` is the last whole hour of the clock; `24h` and `7d` end with the look, and their last hour may be under way. */
  cohorts?: {
    "1h": Cohort;
    "24h": Cohort;
    "7d": Cohort;
  };
  /** In the order of the definition. */
  variants: Arm[];
}

/** Units first exposed in [from, to). */
export interface Cohort {
  /** Start of the first hour. */
  from: string;
  /** End of the last hour, or the look where that is earlier. */
  to: string;
  /** By variant. */
  variants: Record<string, {
    /** Units in the metric. */
    units: number;
    /** Of their values, or of numerators. */
    sum: number;
    /** Per unit, or the ratio; null where there is none. */
    mean: number | null;
  }>;
}

/** A variant's numbers; all but the control's are compared with the control on their own pair. */
export interface Arm {
  /** Its name. */
  variant: string;
  /** True for the control, absent for the others. */
  control?: true;
  /** Units in the metric's n. */
  units: number;
  /** Of the units' values, or of numerators. */
  sum: number;
  /** Of denominators; ratios only. */
  denominator?: number;
  /** Per unit, or the ratio; null where there is none. */
  mean: number | null;
  /** Between units; null below two units. */
  variance: number | null;
  /** Of the mean. */
  standard_error: number | null;
  /** Treatment minus control. */
  difference?: number | null;
  /** Treatment by control, minus 1; null where the control's mean is zero. */
  lift?: number | null;
  always_valid?: AlwaysValid;
  fixed_horizon?: FixedHorizon;
  bayesian?: Bayesian;
}

/** Valid at every look, however often one looks. */
export interface AlwaysValid {
  /** `ok`: the numbers hold. `burn_in`: too few units or events yet. `degenerate`: every unit of an arm has the same value. `srm_blocked`: the split is broken, so the numbers are shown but nothing may be decided. `unsupported`: nothing can be inferred for this type of metric yet, and the numbers are null. */
  status: "ok" | "burn_in" | "degenerate" | "srm_blocked" | "unsupported";
  /** Of this look alone. */
  p_value: number | null;
  /** The least of all looks so far, which decides. Absent in provisional results. */
  p_value_running?: number | null;
  /** Holm on the running p-values over the treatments. Only of the primary metric over all units; absent in provisional results. */
  p_value_adjusted?: number | null;
  /** Logarithm of the evidence against no difference at this look. */
  ln_e: number | null;
  /** Lower end of the confidence sequence of the difference at this look; null where it has none. */
  low: number | null;
  /** Its upper end. */
  high: number | null;
  /** Lower end of the lifts that are not ruled out; where `lift_shape` is `exclusive`, the lower end of those that are. */
  lift_low: number | null;
  /** Upper end. */
  lift_high: number | null;
  /** `bounded`: between the ends. `exclusive`: everything but what is between the ends. `unbounded`: nothing is ruled out. Null where there is none. */
  lift_shape: "bounded" | "exclusive" | "unbounded" | null;
  /** Of the difference, with the variance floor. */
  standard_error: number | null;
  /** Of the confidence sequences of all looks so far. Absent in provisional results. */
  intersection?: {
    /** Highest lower end. */
    low: number | null;
    /** Lowest upper end. */
    high: number | null;
  };
  /** Whether the intersection is empty: no single effect fits all looks. Absent in provisional results. */
  drift_suspected?: boolean;
  /** The look at which the running p first fell below alpha; null before. Absent in provisional results. */
  crossed?: null | {
    /** The look. */
    look: string;
    /** Units of the pair then. */
    units: number;
    /** The lift then. */
    lift: number | null;
  };
  /** Only while `status` is `burn_in`: what the smaller arm has and what it needs. */
  burn_in?: {
    /** Units of the smaller arm. */
    units_have: number;
    /** Units needed. */
    units_need: number;
    /** Expected events of the smaller arm, or non-events where those are rarer; null where events are not waited for. */
    events_have: number | null;
    /** Events needed. */
    events_need: number | null;
  };
}

/** Welch's test: valid for one look at the planned end, and for comparison before it. */
export interface FixedHorizon {
  /** Two-sided. */
  p_value: number | null;
  /** Lower end of the confidence interval of the difference. */
  low: number | null;
  /** Upper end. */
  high: number | null;
  /** Why there is no interval. */
  status?: "degenerate" | "unsupported";
}

/** Under the prior N(0, 0.05²) on the lift. Descriptive: stopping on it has no bounded error. */
export interface Bayesian {
  /** Chance that the treatment is better, in the metric's direction. */
  chance_to_win: number | null;
  /** Lift that choosing the treatment costs on average if it is not. */
  expected_loss: number | null;
  /** Why there is none: as in `always_valid`, or `no_lift` where the control's mean is zero. */
  status?: "burn_in" | "degenerate" | "unsupported" | "no_lift";
}

/** Counts of records over the whole log, since its start. records = control + duplicates + accepted (copies too) + rejected. */
export interface Events {
  /** Accepted; events for several units count once. */
  exposures: number;
  /** Accepted; events for several units count once. */
  conversions: number;
  /** Accepted; events for several units count once. */
  retractions: number;
  /** Repeats of accepted events. */
  duplicates: number;
  /** Conversions that were accepted and count nowhere. */
  unattributed: number;
  /** Conversions that were taken back. */
  retracted: number;
  /** Retractions that did not say what their target said. */
  void_retractions: number;
  /** Conversions that named an experiment to which their unit was not exposed, though it was to another. */
  contradictions: number;
  /** All records. */
  records: number;
  /** Ticks, genesis and config records. */
  control: number;
  /** Dead letters by reason; `malformed` and `late` are always there, others where there are any. */
  rejected: {
    malformed: number;
    unknown_schema?: number;
    unknown_experiment?: number;
    unknown_variant?: number;
    unknown_version?: number;
    wrong_unit_type?: number;
    not_running?: number;
    misrouted?: number;
    future?: number;
    late: number;
    conflict?: number;
    rate?: number;
    erased?: number;
    control?: number;
  };
}

/** How current the look is. Everything here is by the log's time; a door that answers people may add its own clock as `server_time`. */
export interface Freshness {
  /** `aligned`: one look that every partition has closed. `provisional`: the newest of each partition. */
  kind: "aligned" | "provisional";
  /** Least log time of any partition: of the last record that is in its numbers. */
  log_time: string;
  /** How many partitions the log has. */
  partitions: number;
  /** How many of them have closed the look. */
  closed: number;
  /** How far the aligned look is behind the newest look of any partition. With the other fields from here on only over HTTP, because they change while the look stays. */
  age_ms?: number;
  /** A partition that holds the aligned look back; null where none does. */
  held_by?: number | null;
  /** Whether it is held because partitions have different versions of the definitions: a publication is under way, and looks meanwhile do not count. */
  versions_differ?: boolean;
  /** By age: up to 5 s, up to 30 s, beyond. */
  state?: "live" | "delayed" | "stale";
  /** When the answer was written. */
  server_time?: string;
}

/** What the numbers were computed from: whoever replays it gets the same ones. */
export interface Provenance {
  /** Identity of the log. */
  log: string;
  /** Version of the meaning of the fold. */
  semantics: number;
  /** 1 where the running values go back to the start of the log. Where the start of the aggregates was gone and the analysis had lost its state, one more than the number of the look with which running values began anew. */
  epoch: number;
  /** Version of the definitions in force. */
  config_version: number;
  /** By partition: first offset, and one beyond the last. */
  offsets: Record<string, number[]>;
  /** What computed them. */
  build: string;
}
