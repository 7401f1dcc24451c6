-- Whole looks, so that what somebody saw can be shown again: the results of one experiment as JSON, about one a minute, and those at which
-- something was decided.
CREATE TABLE IF NOT EXISTS experiment_looks (
    look DateTime64(3, 'UTC'),
    experiment_id LowCardinality(String),
    published_at DateTime64(3, 'UTC'),
    body String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree(published_at)
PARTITION BY toYYYYMM(look)
ORDER BY (experiment_id, look);
