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
  /** When this look was published, by the wall clock. Only over HTTP. */
  published_at?: string;
  /** When the answer was written, by the wall clock. Only over HTTP. */
  server_time?: string;
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
  /** Exposures that an edge showed and could not write to the log, as it reported them later: they are in no other number. */
  exposures_lost: number;
  /** Exposures whose variant is not the one that the hash gives. */
  misbucketed: {
    /** The variant shown. */
    variant: string | null;
    /** The library that showed it, as `name/version`; `unknown` where it did not say. */
    sdk: string;
    /** How many. */
    exposures: number;
    /** Of all accepted exposures of the experiment. */
    share: number;
  }[];
  /** Exposures that named the experiment and were rejected, by reason as in `events`; they count for its newest phase. Conversions and records that cannot be read name no experiment and are in `events` alone. */
  rejected: Record<string, {
    /** How many. */
    exposures: number;
    /** Partition of the last one, by log time. */
    partition: number;
    /** Its offset there; the table `dead_letters` has its bytes and more words. */
    offset: number;
  }>;
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
    /** Pearson's chi-square of arms by values, valid for one declared look only. */
    p_value_fixed: number;
    /** Sequential: the least so far of each value's test of its split, Holm over the values; in provisional results that of this look. Units that were seen in several variants are not in it. */
    p_value_running: number;
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
    /** N* that its comparisons use: that of the experiment. */
    planned_units: number;
  }[];
  /** What is expected, and why; may be empty. */
  hypothesis: string;
  /** Of everything in the definitions of the experiment and its metrics that defines a number: units, variants, metrics, segments, method, alpha, plan. Equal plans have equal hashes; a look with another hash belongs to another plan. */
  plan_hash: string;
  /** From `started` to the look; null before the first exposure that counts. */
  days_running: number | null;
  /** Shares that should be small. */
  shares: {
    /** Units seen in several variants, of all units; null without any. */
    crossed: number | null;
    /** Exposures whose variant is not the one that the hash gives, of all accepted ones; null without any. */
    misbucketed: number | null;
    /** Exposures from before the start or after the end, of all accepted ones; null without any. */
    outside: number | null;
  };
  verdict: Verdict;
  said: Said;
  /** Whether the effect on a primary metric differs between the values of an attribute. Exploratory, for one look. */
  heterogeneity: {
    /** Id of the metric. */
    metric: string;
    /** The attribute. */
    attribute: string;
    /** The treatment. */
    variant: string;
    /** `ok`, or why there are no numbers: `too_few` values have two units and a variance in both arms. */
    status: "ok" | "too_few" | "unsupported";
    /** Values that are compared. */
    values: number;
    /** Cochran's Q of the differences. */
    q: number | null;
    /** Its degrees of freedom. */
    df: number;
    /** Share of the spread between values that chance does not explain. */
    i_squared: number | null;
    /** Of Q, uncorrected. */
    p_value_fixed: number | null;
    /** After Benjamini-Hochberg over all entries that are `ok`. */
    p_value_bh: number | null;
  }[];
  /** The effect on a primary metric as an average over the values of an attribute, beside the plain one. Where the two contradict each other the arms have different mixtures of units (Simpson's paradox). */
  stratified: {
    /** Id of the metric. */
    metric: string;
    /** The attribute. */
    attribute: string;
    /** The treatment. */
    variant: string;
    /** `ok`, or why there are no numbers: an arm has `too_few` units. */
    status: "ok" | "too_few" | "unsupported";
    /** Treatment minus control, over all values at once. */
    total: number | null;
    /** The average of the differences within the values, weighted by their units. */
    stratified: number | null;
    /** Of the average. */
    standard_error: number | null;
    /** Every value with enough units has a difference of the sign opposite to the total's. */
    reversal: boolean;
    /** Values are unbalanced between the arms, and averaging moves the effect by more than chance. */
    shifted: boolean;
    /** Either of the two. */
    alarm: boolean;
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
  /** The split within each segment value. Units that were seen in several variants are not in it. */
  segments: {
    /** The attribute. */
    attribute: string;
    /** Its value, or `other`. */
    value: string;
    /** As for all units, at this look. */
    ln_e: number | null;
    /** The least so far; in provisional results that of this look. */
    p_value_running: number;
    /** Holm on the running ones over all segment values: what the alarm is about. */
    p_value_adjusted: number;
    /** Whether the split is broken there: decisions are refused. */
    alarm: boolean;
  }[];
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
  /** Units by time of first exposure, with their values so far. Only over all units. All end with the look: `1h` is sixty minutes, of which the last may be under way; `24h` and `7d` are hours, of which the last may be under way. */
  cohorts?: {
    "1h": Cohort;
    "24h": Cohort;
    "7d": Cohort;
  };
  /** Units by week of first exposure, with their values so far, each week on its own. Only over all units; at most the newest 26 weeks. Weeks are seven whole UTC days from the day of the first exposure on. */
  weeks?: Week[];
  /** In the order of the definition. */
  variants: Arm[];
}

/** Units first exposed in [from, to). */
export interface Cohort {
  /** Start of the first minute of `1h`, of the first hour of the others. */
  from: string;
  /** End of the last minute or hour, or the look where that is earlier. */
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

/** Units first exposed in [from, to). Intervals are fixed-horizon ones at the experiment's alpha, not corrected for the number of weeks: they explain, and decide nothing. */
export interface Week {
  /** 1 is the first. */
  week: number;
  /** Start of its first day. */
  from: string;
  /** End of its last day; of the newest week it may lie after the look. */
  to: string;
  /** In the order of the definition. */
  variants: {
    /** Its name. */
    variant: string;
    /** Units in the metric. */
    units: number;
    /** Per unit, or the ratio; null where there is none. */
    mean: number | null;
    /** Treatment minus control; null where an arm has no two units, or no value differs from another. */
    difference?: number | null;
    /** Lower end of its interval, by Welch's t. */
    low?: number | null;
    /** Upper end. */
    high?: number | null;
    /** Treatment by control, minus 1. */
    lift?: number | null;
    /** Lower end of Fieller's set; where `lift_shape` is `exclusive`, the lower end of what is ruled out. */
    lift_low?: number | null;
    /** Upper end. */
    lift_high?: number | null;
    /** As in `always_valid`. */
    lift_shape?: "bounded" | "exclusive" | "unbounded" | null;
  }[];
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
  /** What can be said of this comparison. The codes from `safe` on are of guardrails: `safe`: worse by less than the margin at most. `harm`: worse. `worse_within_margin`: worse, but by less than the margin. `not_known`: neither. `no_margin`: it has none, and does no harm that shows. For the others: `waiting`, `degenerate`, `unsupported` as in `status`; `blocked`: the split is broken; `drift`: nothing is decided and no single effect fits all looks; `before_plan`: a fixed plan that is not at its end; `no_method`: the method is not computed yet; `better` and `worse` in the metric's direction; `better_may_be_small`: the truth may be below the minimum effect; `no_difference`: smaller than the minimum effect; `not_shown`: nothing yet. */
  verdict?: {
    /** What. */
    code: "waiting" | "degenerate" | "unsupported" | "blocked" | "drift" | "before_plan" | "no_method" | "better" | "better_may_be_small" | "worse" | "no_difference" | "not_shown" | "safe" | "harm" | "worse_within_margin" | "not_known" | "no_margin";
    arguments: Arguments;
    /** In two or three words, where it is over all units. */
    said?: {
      /** The words. */
      text: string;
      /** The direction, or how grave it is; missing where it is neither. */
      tone?: "better" | "worse" | "warn" | "alarm";
    };
  };
  /** Of guardrails over all units: one-sided evidence, valid at every look. */
  guardrail?: {
    /** Largest harm that is tolerated, relative to the control's mean; null where none is given, and then nothing is found safe. */
    margin: number | null;
    /** As in `always_valid`. */
    status: "ok" | "burn_in" | "degenerate" | "unsupported";
    /** Logarithm of the evidence that it is worse by less than the margin, at this look; null without a margin. */
    safe_ln_e: number | null;
    /** Logarithm of the evidence that it is worse, at this look. */
    harm_ln_e: number | null;
    /** The least so far, which decides; in provisional results that of this look. */
    safe_p_value_running: number;
    /** The same for harm. */
    harm_p_value_running: number;
    /** What is decided, and stays. */
    decision: "safe" | "harm" | "worse_within_margin" | "not_known" | "no_margin";
  };
  /** Of primary metrics over all units: the smallest effect that a test finds with power 80%, by the spread seen so far. A plan for what comes, no statement about what was found. */
  findable?: {
    /** `ok`, or why there are no numbers. */
    status: "ok" | "too_few" | "unsupported";
    /** Units of the pair at the plan's end, or now where that is past. */
    units: number;
    /** The effect then. */
    difference: number | null;
    /** By the control's mean. */
    lift: number | null;
    /** The effect that the units of now find. */
    difference_now: number | null;
    /** By the control's mean. */
    lift_now: number | null;
  };
  /** Of primary metrics over all units: when the always-valid interval of the lift would be clear of the minimum effect (wholly above it, wholly below its negative, or wholly between them; without a minimum, clear of zero), if the present estimate were true and spread and split stayed. A plan, no statement about what was found. */
  projected?: {
    /** `ok`. `cleared`: it is, now. `far`: at more than a hundred times the plan, or never. `too_few`: the waiting period is not over. `no_lift`: the control's mean is zero. `unsupported`: nothing can be inferred for this type of metric. */
    status: "ok" | "cleared" | "far" | "too_few" | "no_lift" | "unsupported";
    /** Units of the pair then; null where there is no such number. */
    units: number | null;
    /** How many are missing. */
    units_left: number | null;
    /** At the present pace of the pair; null where nobody comes. */
    days_left: number | null;
  };
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
  /** Whether the intersection is empty: no single effect fits all looks. With `maturity: open` it says little, because means grow with the age of their units; only matured metrics raise an alarm by it. Absent in provisional results. */
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
  said: Checks;
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

/** Numbers and names of a finding; each only where it belongs. */
export interface Arguments {
  /** Id of the metric that it is about. */
  metric?: string;
  /** The treatment that it is about. */
  variant?: string;
  /** A segment attribute. */
  attribute?: string;
  /** Its value. */
  value?: string;
  /** Where the treatment is. */
  direction?: "increase" | "decrease";
  /** Treatment by control, minus 1. */
  lift?: number | null;
  /** Lower end of the lifts that are not ruled out; null where there is no limit. */
  lift_low?: number | null;
  /** Upper end. */
  lift_high?: number | null;
  /** As in `always_valid`. */
  lift_shape?: "bounded" | "exclusive" | "unbounded" | null;
  /** Treatment minus control. */
  difference?: number | null;
  /** Lower end of its confidence sequence. */
  low?: number | null;
  /** Upper end. */
  high?: number | null;
  /** The end of the lifts nearest to zero: at least so much. */
  bound?: number | null;
  /** Smallest lift worth having. */
  minimum_effect?: number | null;
  /** Whether `bound` is beyond the minimum effect. */
  clears_minimum?: boolean;
  /** Whether all lifts that are not ruled out are smaller than the minimum effect. */
  within_minimum?: boolean;
  /** Whether today's interval includes zero again; the decision stands. */
  covers_zero?: boolean;
  /** Whether it would be decided if there were one treatment only. */
  excludes_zero_before_correction?: boolean;
  /** The look at which it was decided. */
  decided_at?: string;
  /** Units of the pair then. */
  decided_units?: number;
  /** Lift then. */
  decided_lift?: number | null;
  /** Of the control. */
  control_mean?: number | null;
  /** Of the treatment. */
  mean?: number | null;
  /** Largest harm that the guardrail tolerates, relative to the control's mean. */
  margin?: number | null;
  /** What there is in the smaller arm. */
  have?: number;
  /** What it needs. */
  need?: number;
  /** What is waited for. */
  of?: "units" | "events";
  /** Units, of the smallest pair where nothing else is said. */
  units?: number;
  /** N*. */
  planned_units?: number;
  /** Units of a pair after which the plan is used up. */
  max_units?: number;
  /** Units of the smallest pair until then. */
  units_left?: number;
  /** Days until then at the present pace; null where nobody comes. */
  days_left?: number | null;
  /** Units of a pair at which the guardrail would be found safe if the present estimate were true; absent where none would do. */
  units_needed?: number;
  /** Days that it runs. */
  days?: number;
  /** Treatments that are not decided. */
  undecided?: string[];
  /** The lift that the plan's end still finds with power 80%. */
  findable_lift?: number | null;
  /** A share of units or events. */
  share?: number;
  /** What of. */
  reason?: string;
  /** The partition that is waited for; absent where several are. */
  partition?: number;
  /** How far the numbers are behind. */
  age_ms?: number;
  /** Over all values at once. */
  total?: number | null;
  /** Average over the values. */
  stratified?: number | null;
  /** That raised it. */
  p_value?: number;
  /** First exposures by variant. */
  counts?: Record<string, number>;
  /** Share that each variant should have. */
  expected?: Record<string, number | null>;
  /** How the definition wants it analysed. */
  method?: string;
  /** Whether no single effect fits all looks; what was decided stays decided. */
  drift_suspected?: boolean;
}

/** What can be said now, as codes and arguments: a pure function of the numbers. Rules in order; the first that matches holds. */
export interface Verdict {
  /** About the primary metrics. `no_data`: no units. `no_primary`: no metric decides. `blocked`: `blocked_by` says why nothing is said. `no_method`: the method is not computed yet. Else the code of the arm in `variant`. */
  code: "no_data" | "no_primary" | "blocked" | "drift" | "waiting" | "degenerate" | "unsupported" | "before_plan" | "no_method" | "better" | "better_may_be_small" | "worse" | "no_difference" | "not_shown";
  /** The arm that the code is about: the best one; null where it is about none. */
  variant: string | null;
  /** Each treatment on the first primary metric. */
  arms: {
    /** Its name. */
    variant: string;
    /** Id of the metric. */
    metric: string;
    /** As in the arm's own verdict. */
    code: "waiting" | "degenerate" | "unsupported" | "blocked" | "drift" | "before_plan" | "no_method" | "better" | "better_may_be_small" | "worse" | "no_difference" | "not_shown";
    arguments: Arguments;
  }[];
  /** Is it safe? `no`: a guardrail shows harm. `cannot_say`: the split is blocked, or a guardrail has the same value for every unit. `not_known_yet`: a guardrail is neither safe nor harmful. `yes`: all are safe. `no_guardrail`: there is none. */
  safe: {
    /** What. */
    code: "no" | "cannot_say" | "not_known_yet" | "yes" | "no_guardrail";
    arguments: Arguments;
  };
  /** Is it working? */
  working: {
    /** What. */
    code: "cannot_say" | "waiting" | "yes" | "worse" | "no_difference" | "not_shown";
    arguments: Arguments;
  };
  /** Can it be stopped? `already`: it is. `repair`: blocked; stop and repair. `yes`: every arm decided and seven days. `first_week`: decided, but weekdays only so far. `some_undecided`: not every arm. `plan_used_up`: the planned maximum is reached. `may`: undecided; one may, and `units_left` says until when something can still be found. `not_yet`: too little to say anything. */
  stop: {
    /** What. */
    code: "already" | "repair" | "yes" | "first_week" | "some_undecided" | "plan_used_up" | "may" | "not_yet";
    arguments: Arguments;
  };
  /** Why believe it? `complete`: recompute it. `wait`: a partition holds the cut (only over HTTP). `provisional`: not one cut. `approximate`: windows are open. `with_care`: many rejected, late or crossed. */
  why: {
    /** What. */
    code: "complete" | "wait" | "provisional" | "approximate" | "with_care";
    arguments: Arguments;
  };
  /** Why decisions are refused. `srm`: the split is broken. `srm_segment`: it is broken within a segment value. `simpson`: the values of an attribute contradict their total. */
  blocked_by: {
    /** What. */
    code: "srm" | "srm_segment" | "simpson";
    arguments: Arguments;
  }[];
}

/** A sentence in pieces. Their texts in a row are the sentence, with its spaces; what is strong or has a direction is said beside it. */
export type Sentence = {
  /** The words. */
  text: string;
  /** Whether they carry the sentence; false where it is missing. */
  strong?: boolean;
  /** The direction that they speak of. */
  tone?: "better" | "worse";
}[];

/** An answer in words. */
export interface Answer {
  /** One to four words. */
  word: string;
  /** A sentence or two; may be empty. */
  why: string;
  /** Whether it is good, bad or to be looked at; missing where it is none of them. */
  tone?: "yes" | "bad" | "maybe";
}

/** Health checks in words. */
export type Checks = {
  /** Its name. */
  name: "Split" | "Balance" | "Crossed" | "Assignment" | "Lost" | "Outside" | "Duplicates" | "Rejected" | "Rejected here" | "Unattributed";
  /** `good`; `none`: nothing to find fault with; `off`: worth a look; `bad`. */
  state: "good" | "none" | "off" | "bad";
  /** In a few words. */
  result: string;
  /** In one or two sentences. */
  detail: string;
}[];

/** The verdict in words, the same wherever it is shown: a pure function of the verdict and of the names in the definitions, in English, with times in UTC. What only a reader knows, how old the numbers are by now, it leaves out. Of an experiment that is paused, since when may be said before the last piece of the sentence; of one that its guardrail stopped, after it. */
export interface Said {
  sentence: Sentence;
  /** What has to be known with the sentence. */
  caveats: string[];
  /** The four answers; their codes are in `verdict`. */
  answers: {
    safe: Answer;
    working: Answer;
    stop: Answer;
    why: Answer;
  };
  checks: Checks;
}

/** All experiments at the newest look. */
export interface List {
  /** As of when. */
  look: string;
  freshness: Freshness;
  /** When this look was published, by the wall clock. */
  published_at: string;
  /** When the server answered, by its clock. */
  server_time: string;
  /** How many rows each group has. */
  groups: Record<string, number>;
  /** Rows. */
  experiments: {
    /** Its id. */
    experiment: string;
    /** For people; may be empty. */
    title: string;
    /** Who answers for it; may be empty. */
    owner: string;
    /** What a unit is called. */
    unit_name: string;
    /** As defined. */
    status: "draft" | "running" | "paused" | "stopped";
    /** Which part of the list it belongs to. */
    group: "attention" | "decided" | "undecided" | "draft" | "stopped";
    /** As in results. */
    started?: string | null;
    /** As in results. */
    days_running?: number | null;
    /** Units of all arms. */
    units?: number;
    /** Units of the smallest pair of control and treatment. */
    pair_units?: number;
    /** N*. */
    planned_units?: number;
    verdict?: Verdict;
    /** The primary metric of the arm that the verdict is about; null without one. */
    primary?: null | {
      /** Id of the metric. */
      metric: string;
      /** For people. */
      name: string;
      /** What a mean is. */
      unit: string;
      /** Which way is better. */
      direction: "increase" | "decrease";
      /** The arm. */
      variant: string;
      /** Treatment by control, minus 1. */
      lift: number | null;
      /** Lower end of the lifts that are not ruled out. */
      lift_low: number | null;
      /** Upper end. */
      lift_high: number | null;
      /** As in results. */
      lift_shape: "bounded" | "exclusive" | "unbounded" | null;
      /** As in results. */
      status: string;
      /** Smallest lift worth having. */
      minimum_effect: number | null;
    };
    /** Codes of what is wrong, the worst first. */
    alarms?: string[];
    /** The row in words. */
    said: {
      sentence: Sentence;
      /** The worst finding in a few words. */
      health: string;
      /** How grave it is; `none` of a draft. */
      tone: "good" | "warn" | "alarm" | "none";
    };
  }[];
}

/** Series over the looks. */
export interface History {
  /** Its id. */
  experiment: string;
  /** Its phase. */
  salt: string;
  /** What each point has, in this order. */
  columns: string[];
  /** By `metric/variant`, or `srm`. */
  series: Record<string, ((string | number | null)[])[]>;
  /** When the server answered, by its clock. */
  server_time: string;
}

/** What happened, oldest first. */
export interface ExperimentLog {
  /** Its id. */
  experiment: string;
  /** Entries. */
  entries: {
    /** When; null for a definition whose row is not in the archive yet. */
    at: string | null;
    /** `version`: the definition changed. `decision`: a comparison crossed. `alarm`: one came or went. */
    kind: "version" | "decision" | "alarm";
    /** Who: the owner of the definition, where it names one, or `assay`. */
    actor: string;
  }[];
  /** When the server answered, by its clock. */
  server_time: string;
}

/** The definition of an experiment. */
export interface Definition {
  /** Its id. */
  experiment: string;
  /** Version of the definitions that it is from. */
  version: number;
  /** When the log had it; null until the archive has its row. */
  at: string | null;
  /** As people write it. */
  yaml: string;
  /** The same as canonical JSON. */
  definition: Record<string, unknown>;
  /** Versions that changed it, oldest first. */
  versions: {
    /** Its number. */
    version: number;
    /** When. */
    at: string | null;
  }[];
  /** When the server answered, by its clock. */
  server_time: string;
}

/** A version of all definitions. */
export interface Snapshot {
  /** Its number. */
  version: number;
  /** Over version and definitions. */
  sha256: string;
  /** Canonical bodies. */
  definitions: Record<string, unknown>[];
}

/** A replay of the log up to a look, and how its results compare with what was published. */
export type Verification = {
  /** Its id. */
  experiment: string;
  /** As of when. */
  look: string;
  /** `running` while it reads the log; `done` when the texts were compared; `failed` when they could not be. */
  state: "running" | "done" | "failed";
  /** Whether both texts are the same, byte by byte; `null` until they were compared. What does not come from the log, the build and how late the look was, is taken from what was published. */
  identical: boolean | null;
  /** Share of the look's offsets that were read. */
  share: number;
  /** Records that were read. */
  records: number;
  /** Since the start, or until the end. */
  seconds: number;
  /** What replays. */
  build: string;
  /** What published the look. */
  published_build: string;
  /** As in the provenance of the published results. */
  offsets: Record<string, number[]>;
  /** Where the texts differ first. */
  differs: {
    /** Such as `experiments[0].metrics[1].name`. */
    path: string;
    /** JSON that was published, cut where it is long; `null` where there was nothing. */
    published: string | null;
    /** JSON that the replay gives, cut where it is long; `null` where it has nothing. */
    replayed: string | null;
  } | null;
  /** Why it failed. */
  detail: string | null;
  /** What gives the same results at a command line. */
  command: string;
  /** When the server answered, by its clock. */
  server_time: string;
};

/** A plan that is asked for. `lift` or `difference` is given, not both. */
export interface PlanQuestion {
  /** What is measured. */
  kind?: "conversion" | "mean" | "ratio";
  /** The rate of today (0.05 for 5%), or the mean; not of a ratio. */
  base?: number;
  /** Standard deviation of a unit's value; of a mean only. */
  deviation?: number;
  /** Of a ratio: mean of the numerator per unit. */
  numerator_mean?: number;
  /** Its standard deviation over units. */
  numerator_deviation?: number;
  /** Of a ratio: mean of the denominator per unit. */
  denominator_mean?: number;
  /** Its standard deviation over units. */
  denominator_deviation?: number;
  /** Between the two, over units. */
  correlation?: number;
  /** Smallest effect worth finding, relative to the control; a negative one is a decrease. */
  lift?: number;
  /** The same as a difference. */
  difference?: number;
  /** Share of false positives that is tolerated, over all treatments. */
  alpha?: number;
  /** Chance to find the effect. */
  power?: number;
  /** Arms beside the control. */
  treatments?: number;
  /** A weight for every arm, the control's first; treatments are of equal size. Equal if absent. */
  split?: number[];
  /** Units that are new each day; those of yesterday do not count again. */
  per_day?: number;
  /** How an experiment is read: at any time, at a few planned looks, or once at the end. */
  method?: "always_valid" | "group_sequential" | "fixed_horizon";
  /** Looks of the group sequential plan. */
  looks?: number;
  /** Units that a running experiment has: asks what it can still find. */
  units?: number;
}

/** The answers for the chosen method. */
export interface PlanHeadline {
  /** Units of all arms, if the effect does not show earlier. */
  at_most: number;
  /** Units of all arms on average, if the effect is the planned one. */
  expected: number;
  /** `at_most` by what one look needs, before rounding. */
  price: number;
  /** `expected` by the same. */
  price_expected: number;
  /** Units of all arms that one look at the end needs. */
  one_look: number;
}

/** How long it takes, in days. */
export interface PlanDays {
  /** Until the most is there. */
  at_most: number;
  /** The same in whole weeks: people of a Sunday differ from those of a Monday. */
  in_whole_weeks: number;
  /** Until the average is there. */
  on_average: number;
}

/** What one way of reading needs. */
export interface MethodPlan {
  /** How an experiment is read: at any time, at a few planned looks, or once at the end. */
  method: "always_valid" | "group_sequential" | "fixed_horizon";
  /** How often one may look; null for as often as one likes. */
  looks: number | null;
  /** Units of the control, at most. */
  control: number;
  /** Units of each treatment, at most. */
  treatment: number;
  /** Units of all arms, at most. */
  total: number;
  /** Units of all arms on average, if the effect is the planned one. */
  total_on_average: number;
  /** `total` by what one look needs, before rounding. */
  times_at_most: number;
  /** `total_on_average` by the same. */
  times_on_average: number;
  /** Chance to have shown the effect by the size that one look needs. */
  chance_at_one_look: number;
  /** Days, if units a day are known. */
  days: PlanDays | null;
}

/** The chance to have shown the effect, by size: points of units and chance. */
export interface PlanCurve {
  /** By the chosen method, which counts stopping at any look up to there. */
  chosen: number[][];
  /** Whether the line stays where it is between its points, because nobody looks there. */
  steps: boolean;
  /** By one look, if that was the planned end. */
  one_look: number[][];
}

/** Another split. */
export interface SplitCost {
  /** Share of the control; the treatments share the rest equally. */
  control_share: number;
  /** Units of all arms, by one look. */
  total: number;
  /** By what arms of equal size need. */
  times: number;
}

/** A look of the group sequential plan (O'Brien-Fleming spending). */
export interface Boundary {
  /** From 1. */
  look: number;
  /** Units of all arms at it. */
  units: number;
  /** The test stops when |z| is at least this. */
  z: number;
  /** The same as a threshold of the ordinary p. */
  p_value: number;
  /** Of alpha, by then. */
  alpha_spent: number;
  /** Chance to have stopped by then, if the effect is the planned one. */
  chance: number;
}

/** The smallest effects that are found, with the power and the method of the question. */
export interface StillFinds {
  /** Of all arms. */
  units: number;
  /** Smallest difference that is found upwards; null if even the largest possible one would not be. */
  difference_up: number | null;
  /** The same downwards. */
  difference_down: number | null;
  /** Relative to the control. */
  lift_up: number | null;
  /** The same downwards. */
  lift_down: number | null;
}

/** What is found at a size that matters. */
export interface StillAt {
  /** Which. */
  when: "now" | "in_a_week" | "in_two_weeks" | "in_four_weeks" | "at_most";
  /** From now; null where units a day are not known. */
  days: number | null;
  /** Of all arms. */
  units: number;
  /** Smallest difference that is found upwards; null if even the largest possible one would not be. */
  difference_up: number | null;
  /** The same downwards. */
  difference_down: number | null;
  /** Relative to the control. */
  lift_up: number | null;
  /** The same downwards. */
  lift_down: number | null;
}

/** What a running experiment can still find. It depends on sizes only, never on what was seen. */
export interface Still {
  /** At a few sizes. */
  at: StillAt[];
  /** By size. */
  curve: StillFinds[];
}

/** A plan: the numbers of `assay power`. */
export interface PlanAnswer {
  /** What is measured. */
  kind: "conversion" | "mean" | "ratio";
  /** Of the control. */
  base: number;
  /** Standard deviation of a unit's value; of a ratio, of its linearised value. */
  deviation: number | null;
  /** Of a treatment with the smallest effect worth finding. */
  target: number;
  /** The effect as a difference. */
  difference: number;
  /** The effect relative to the control; null where that is 0. */
  lift: number | null;
  /** Over all treatments. */
  alpha: number;
  /** Of each comparison with the control. */
  alpha_each: number;
  /** Chance to find the effect. */
  power: number;
  /** Arms beside the control. */
  treatments: number;
  /** Share of every arm, the control's first. */
  shares: number[];
  /** Units that are new each day. */
  per_day: number | null;
  /** How an experiment is read: at any time, at a few planned looks, or once at the end. */
  method: "always_valid" | "group_sequential" | "fixed_horizon";
  headline: PlanHeadline;
  /** Every way of reading, for the same promise. */
  methods: MethodPlan[];
  curve: PlanCurve;
  /** What other splits need. */
  splits: SplitCost[];
  /** Bounds of the group sequential plan. */
  boundaries: Boundary[];
  /** Null unless `units` was given. */
  still: Still | null;
}

/** An experiment without an effect that is asked for; everything may be absent. */
export interface PeekQuestion {
  /** Names the random numbers. */
  seed?: number;
  /** How often it is looked at, evenly spaced. */
  looks?: number;
  /** Units of both arms together at the last look. */
  units?: number;
  /** At which both arms convert. */
  rate?: number;
  /** Share of false positives that is promised. */
  alpha?: number;
}

/** What is seen at a look. */
export interface PeekReading {
  /** Of both arms together. */
  units: number;
  /** The p of a test that is made for one look. */
  ordinary: number;
  /** The running always-valid p. */
  always_valid: number;
}

/** A share of experiments. */
export interface PeekShare {
  /** Of those that were simulated. */
  simulated: number;
  /** By numerical integration, in the limit of normal means. */
  theory: number;
}

/** The share of experiments without an effect that is ever called significant by who looks so often. */
export interface EverShare {
  /** Evenly spaced. */
  looks: number;
  ordinary: PeekShare;
  always_valid: PeekShare;
}

/** An experiment without an effect, and many of them: the readings and bounds of `assay peek`. */
export interface PeekAnswer {
  /** Names the random numbers. */
  seed: number;
  /** How often it is looked at. */
  looks: number;
  /** Units of both arms from look to look. */
  units_per_look: number;
  /** Units of both arms at the last look. */
  units: number;
  /** At which both arms convert. */
  rate: number;
  /** Share of false positives that is promised. */
  alpha: number;
  /** One experiment, look by look. */
  path: PeekReading[];
  /** Looks at which the ordinary p is below alpha although there is no effect. */
  ordinary_below: number;
  /** The same for the always-valid p. */
  always_valid_below: number;
  /** Experiments that were simulated for `ever`; a fixed number, so that no question takes long. `theory` has no such error. */
  runs: number;
  /** By number of looks. */
  ever: EverShare[];
}

/** A part that works, or says why not. */
export interface StatusService {
  /** Whether it does its work. */
  fine: boolean;
  /** In words. */
  says: string;
}

/** How many. */
export interface StatusOutcome {
  /** Which. */
  name: string;
  /** Since the process started. */
  total: number;
  /** Over the last minute. */
  per_second: number;
}

/** A partition. */
export interface StatusPartition {
  /** Which. */
  partition: number;
  /** What it does. */
  state: "starting" | "catching_up" | "live" | "paused" | "halted" | "frozen";
  /** Why it does not go on. */
  why: string | null;
  /** The time up to which it has read. */
  log_time: string | null;
  /** How far that is behind the server's clock. */
  behind_ms: number | null;
  /** Records not applied yet. */
  lag: number;
  /** Next offset to be applied. */
  next_offset: number;
  /** End of the newest look that it has closed. */
  closed_look: string | null;
  /** Whether all others wait for it. */
  holds_cut: boolean;
  /** Version of the definitions in force. */
  config_version: number;
}

/** Where rows go. */
export interface StatusSink {
  /** Its name. */
  name: string;
  /** Chunks that wait in the store. */
  waiting_chunks: number;
  /** Their bytes. */
  waiting_bytes: number;
  /** Bytes that may wait; beyond it partitions pause. */
  waiting_bytes_max: number | null;
  /** Chunks on their way. */
  in_flight: number;
  /** Why chunks wait, or why nothing is written any more. */
  why: string | null;
}

/** How the whole system is. */
export type Status = {
  /** How much it matters. */
  level: "fine" | "warning" | "alarm";
  /** The worst that is so, in words. */
  sentence: string;
  /** By the server's clock. */
  server_time: string;
  /** From an event's place in the log to results with it; events are taken as evenly spread over their look. */
  latency: {
    /** Half of the events take less. */
    median_ms: number;
    /** One in a hundred takes longer. */
    p99_ms: number;
    /** Over so many looks. */
    looks: number;
  } | null;
  /** The newest look that all partitions have closed. */
  look: {
    /** As of when. */
    at: string;
    /** From its end to that of the newest look of any partition. */
    age_ms: number;
    /** How old that is. */
    state: "live" | "delayed" | "stale";
    /** A partition that holds it back. */
    held_by: number | null;
    /** Whether it is held because partitions have different versions of the definitions. */
    versions_differ: boolean;
  } | null;
  analysis: StatusService;
  /** What became of events. */
  events: {
    /** Over how long `per_second` is taken; 0 until the second reading. */
    seconds: number;
    /** By outcome. */
    outcomes: StatusOutcome[];
    /** By reason. */
    dead_letters: StatusOutcome[];
  };
  /** Every partition that is processed here. */
  partitions: StatusPartition[];
  /** Where rows go. */
  sinks: StatusSink[];
  /** The edges that asked this process for the definitions within ten minutes, and its own, those that need attention first; null where it publishes none. */
  edges: {
    /** Its id. */
    id: string;
    /** Version of the definitions that it answers from. */
    version: number;
    /** When it was last heard of; it asks at least every 25 s. */
    seen: string;
    /** behind: it goes on answering from an older version than the newest. silent: it was not heard of for a minute. current: neither. */
    state: "behind" | "silent" | "current";
  }[] | null;
  /** The definitions. */
  config: {
    /** The newest version that any partition has; 0 for none. */
    version: number;
    /** Partitions that have it. */
    partitions: number;
    /** The files that it comes from; null where this process follows none. */
    files: {
      /** Whether what they say now is in force. */
      fine: boolean;
      /** What is wrong with them, with file and line, in words. */
      says: string;
    } | null;
  };
  /** Of the data directory; null where the system does not tell. */
  disk: {
    /** That may be written. */
    free: number;
    /** In all. */
    total: number;
  } | null;
  /** What runs here. */
  build: {
    /** Of the command. */
    version: string;
    /** Meaning of the fold. */
    semantics: number;
    /** Identity of the log. */
    log: string;
    /** When the process started. */
    started: string;
  };
  /** Where the operator keeps dashboards of `/metrics`. */
  dashboards: string | null;
};
