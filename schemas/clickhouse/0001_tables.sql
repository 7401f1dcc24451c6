-- Accepted events, as facts at an offset of the log; control records are rows too, so that this table is the log's archive.
-- The sort key ends in (log, partition, offset): whatever is inserted twice is one row when read with FINAL.
-- In a cluster: ReplicatedReplacingMergeTree with replicated_deduplication_window = 100000 and
-- replicated_deduplication_window_seconds = 604800; partition p is written to shard p mod S, never through Distributed.
CREATE TABLE IF NOT EXISTS experiment_events (
    event_id UUID,
    event_type LowCardinality(String),
    experiment_id LowCardinality(String),
    variant LowCardinality(String),
    user_id String,
    event_name LowCardinality(String),
    event_value Nullable(Decimal(18, 6)),
    metadata Map(LowCardinality(String), String),
    created_at DateTime64(6, 'UTC'),
    unit_type LowCardinality(String),
    copy UInt32,
    config_version UInt64,
    sdk LowCardinality(String),
    kind LowCardinality(String),
    target_event_id Nullable(UUID),
    target_event_time Nullable(DateTime64(6, 'UTC')),
    body String,
    log_time DateTime64(3, 'UTC'),
    chunk_time DateTime('UTC'),
    semantics UInt32,
    log LowCardinality(String),
    partition UInt32,
    offset UInt64
) ENGINE = ReplacingMergeTree(semantics)
PARTITION BY toDate(chunk_time)
ORDER BY (event_type, experiment_id, event_name, log, partition, offset)
SETTINGS non_replicated_deduplication_window = 100000;

-- Records that were not accepted, with their original bytes.
CREATE TABLE IF NOT EXISTS dead_letters (
    reason LowCardinality(String),
    detail String,
    key String,
    payload String,
    log_time DateTime64(3, 'UTC'),
    chunk_time DateTime('UTC'),
    semantics UInt32,
    log LowCardinality(String),
    partition UInt32,
    offset UInt64
) ENGINE = ReplacingMergeTree(semantics)
PARTITION BY toDate(chunk_time)
ORDER BY (reason, log, partition, offset)
SETTINGS non_replicated_deduplication_window = 100000;

-- One row per chunk that was inserted: which offsets, how many rows, and the hash of their bytes.
CREATE TABLE IF NOT EXISTS chunks (
    log LowCardinality(String),
    semantics UInt32,
    partition UInt32,
    first_offset UInt64,
    next_offset UInt64,
    rows UInt32,
    dead UInt32,
    hash String,
    chunk_time DateTime('UTC'),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(inserted_at)
PARTITION BY toYYYYMM(chunk_time)
ORDER BY (log, semantics, partition, first_offset)
SETTINGS non_replicated_deduplication_window = 100000;

-- Absolute sums of each partition, per variant, hour of first exposure and segment; micro-units. The newest next_offset counts.
CREATE TABLE IF NOT EXISTS variant_aggregates (
    experiment_id LowCardinality(String),
    salt LowCardinality(String),
    metric LowCardinality(String),
    variant LowCardinality(String),
    segment LowCardinality(String),
    segment_value LowCardinality(String),
    hour DateTime('UTC'),
    units Int64,
    nonzero Int64,
    sum Int128,
    sum_squares Int128,
    other_sum Int128,
    other_squares Int128,
    products Int128,
    look DateTime64(3, 'UTC'),
    log LowCardinality(String),
    partition UInt32,
    next_offset UInt64
) ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (experiment_id, salt, metric, variant, segment, segment_value, hour, log, partition);

-- Results at aligned looks. Phases of one experiment have different salts.
CREATE TABLE IF NOT EXISTS experiment_results (
    look DateTime64(3, 'UTC'),
    experiment_id LowCardinality(String),
    salt LowCardinality(String),
    metric LowCardinality(String),
    variant LowCardinality(String),
    segment LowCardinality(String),
    segment_value LowCardinality(String),
    control Bool,
    units Int64,
    sum Float64,
    mean Nullable(Float64),
    variance Nullable(Float64),
    difference Nullable(Float64),
    lift Nullable(Float64),
    status LowCardinality(String),
    p_value Nullable(Float64),
    p_value_running Nullable(Float64),
    ln_e Nullable(Float64),
    low Nullable(Float64),
    high Nullable(Float64),
    lift_low Nullable(Float64),
    lift_high Nullable(Float64),
    srm_p_value Float64,
    config_version UInt64,
    offsets String
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(look)
ORDER BY (experiment_id, salt, metric, segment, segment_value, variant, look);
