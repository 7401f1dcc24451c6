-- The usual questions, answered from the facts in experiment_events as the results are computed: units that were exposed, from their first
-- exposure on, each event once.
--
-- The views know phases (a new salt is a new start), the time rules of the log's genesis record, what lies before the start or after the end
-- of an experiment, retractions, and the crossing policies exclude and first. They do not know: the hash's variant that `crossing: assigned`
-- needs (such crossed units are left out here and are in the results), windows, caps and filters of metrics, when a metric was added to a
-- running experiment, and the bounds of what one unit may have waiting. The results in experiment_results and variant_aggregates know all of
-- it; where the two differ, those decide.

-- Accepted events, each once.
CREATE OR REPLACE VIEW events AS
SELECT * FROM experiment_events FINAL
WHERE event_type IN ('exposure', 'conversion', 'retraction')
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- What every log said of itself at its start: how far an exposure may count back, and how far events may be ahead.
CREATE OR REPLACE VIEW log_rules AS
SELECT
    log,
    any(JSONExtractInt(body, 'first_exposure_slack_ms')) AS slack_ms,
    any(JSONExtractInt(body, 'future_ms')) AS future_ms
FROM experiment_events
WHERE event_type = 'genesis'
GROUP BY log;

-- Where each partition put a version of the definitions in force: at its closing record, unless a higher one was there before.
CREATE OR REPLACE VIEW versions_in_force AS
SELECT log, partition, version, offset, log_time
FROM (
    SELECT
        log, partition, config_version AS version, offset, log_time,
        max(config_version) OVER (
            PARTITION BY log, partition ORDER BY offset ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest_before
    FROM experiment_events FINAL
    WHERE event_type = 'config' AND mapContains(metadata, 'assay-close')
)
WHERE version > highest_before;

-- The experiments of every published version.
CREATE OR REPLACE VIEW experiment_versions AS
SELECT DISTINCT
    log,
    config_version AS version,
    JSONExtractString(body, 'id') AS experiment_id,
    if(JSONExtractString(body, 'salt') = '', JSONExtractString(body, 'id'), JSONExtractString(body, 'salt')) AS salt,
    JSONExtractString(body, 'status') AS status,
    JSONExtractString(body, 'crossing') AS crossing
FROM experiment_events FINAL
WHERE event_type = 'config' AND JSONExtractString(body, 'kind') = 'experiment';

-- The phases of every experiment in every partition: one for each salt, from its first version that is no draft until the version that stops
-- it, replaces its salt or lacks it. Definitions that precede a partition's first event hold from the beginning of time; the end leaves room
-- for events that are ahead of log time.
CREATE OR REPLACE VIEW experiment_phases AS
SELECT
    phases.log AS log, phases.partition AS partition, phases.experiment_id AS experiment_id, phases.salt AS salt,
    phases.first_version AS version,
    phases.policy AS crossing,
    if(phases.start_offset < records.first_record,
        toDateTime64('1900-01-01 00:00:00', 6, 'UTC'), toDateTime64(phases.start_time, 6, 'UTC')) AS live_from,
    ifNull(
        addMicroseconds(toDateTime64(phases.end_time, 6, 'UTC'), rules.future_ms * 1000 + 1),
        toDateTime64('2299-12-31 23:59:59', 6, 'UTC')) AS ended
FROM (
    SELECT
        p.log AS log, p.partition AS partition, p.experiment_id AS experiment_id, p.salt AS salt,
        p.first_version AS first_version, p.policy AS policy, p.start_offset AS start_offset, p.start_time AS start_time,
        minOrNullIf(c.log_time, c.offset >= p.start_offset AND (v.salt = '' OR v.status = 'stopped')) AS end_time
    FROM (
        SELECT
            f.log AS log, f.partition AS partition, d.experiment_id AS experiment_id, d.salt AS salt,
            min(f.offset) AS start_offset,
            min(f.log_time) AS start_time,
            min(f.version) AS first_version,
            argMin(d.crossing, f.offset) AS policy
        FROM versions_in_force AS f
        INNER JOIN experiment_versions AS d ON d.log = f.log AND d.version = f.version
        WHERE d.status != 'draft'
        GROUP BY f.log, f.partition, d.experiment_id, d.salt
    ) AS p
    INNER JOIN versions_in_force AS c ON c.log = p.log AND c.partition = p.partition
    LEFT JOIN experiment_versions AS v
        ON v.log = c.log AND v.version = c.version AND v.experiment_id = p.experiment_id AND v.salt = p.salt
    GROUP BY p.log, p.partition, p.experiment_id, p.salt, p.first_version, p.policy, p.start_offset, p.start_time
) AS phases
LEFT JOIN (
    SELECT log, partition, min(offset) AS first_record FROM (
        SELECT log, partition, offset FROM experiment_events WHERE event_type IN ('exposure', 'conversion', 'retraction')
        UNION ALL
        SELECT log, partition, offset FROM dead_letters
        UNION ALL
        -- A partition without any record yet is as good as one whose first is still to come.
        SELECT log, partition, toUInt64(18446744073709551615) AS offset FROM versions_in_force
    ) AS every_record
    GROUP BY log, partition
) AS records ON records.log = phases.log AND records.partition = phases.partition
LEFT JOIN log_rules AS rules ON rules.log = phases.log;

-- Exposures with the phase that they belong to and the time from which they count: judged by the version that they name, else by the one in
-- force where they lie in the log.
CREATE OR REPLACE VIEW phase_exposures AS
SELECT
    e.log AS log, e.partition AS partition, e.experiment_id AS experiment_id, d.salt AS salt, p.version AS phase_version,
    p.crossing AS crossing, p.ended AS ended,
    e.unit_type AS unit_type, e.user_id AS user_id, e.variant AS variant, e.metadata AS metadata,
    e.created_at AS created_at, e.event_id AS event_id,
    greatest(e.created_at, subtractMilliseconds(toDateTime64(e.log_time, 6, 'UTC'), rules.slack_ms)) AS counts_from
FROM (
    SELECT
        x.log AS log, x.partition AS partition, x.experiment_id AS experiment_id, x.unit_type AS unit_type, x.user_id AS user_id,
        x.variant AS variant, x.metadata AS metadata, x.created_at AS created_at, x.event_id AS event_id, x.log_time AS log_time,
        if(x.config_version > 0, x.config_version, f.version) AS version
    FROM (SELECT * FROM events WHERE event_type = 'exposure') AS x
    ASOF INNER JOIN versions_in_force AS f ON f.log = x.log AND f.partition = x.partition AND x.offset > f.offset
) AS e
INNER JOIN experiment_versions AS d ON d.log = e.log AND d.version = e.version AND d.experiment_id = e.experiment_id
INNER JOIN experiment_phases AS p
    ON p.log = e.log AND p.partition = e.partition AND p.experiment_id = e.experiment_id AND p.salt = d.salt
INNER JOIN log_rules AS rules ON rules.log = e.log
WHERE counts_from >= p.live_from AND counts_from < p.ended;

-- Each unit's first exposure in the newest phase of an experiment, and in how many variants it was seen there. `counted` says whether the
-- unit is in the results: with crossing: exclude, units of several variants are not.
CREATE OR REPLACE VIEW first_exposures AS
SELECT
    x.experiment_id AS experiment_id,
    x.unit_type AS unit_type,
    x.user_id AS user_id,
    argMin(x.variant, (x.counts_from, x.created_at, x.variant, toString(x.event_id))) AS variant,
    min(x.counts_from) AS first_exposure,
    argMin(x.metadata, (x.counts_from, x.created_at, x.variant, toString(x.event_id))) AS attributes,
    uniqExact(x.variant) AS variants,
    any(x.ended) AS ended,
    x.salt AS salt,
    x.log AS log,
    uniqExact(x.variant) = 1 OR any(x.crossing) = 'first' AS counted
FROM phase_exposures AS x
INNER JOIN (
    SELECT log, experiment_id, argMax(salt, version) AS newest_salt FROM experiment_phases GROUP BY log, experiment_id
) AS newest ON newest.log = x.log AND newest.experiment_id = x.experiment_id AND newest.newest_salt = x.salt
WHERE (x.unit_type, x.user_id) NOT IN (
    SELECT unit_type, user_id FROM events WHERE event_type = 'retraction' AND kind IN ('bot', 'erase'))
GROUP BY x.experiment_id, x.unit_type, x.user_id, x.salt, x.log;

-- Conversions that were not taken back.
CREATE OR REPLACE VIEW conversions AS
SELECT * FROM events
WHERE event_type = 'conversion'
  AND (unit_type, user_id, event_id, event_name, created_at, ifNull(event_value, 0)) NOT IN (
    SELECT unit_type, user_id, ifNull(target_event_id, event_id), event_name, ifNull(target_event_time, created_at), ifNull(event_value, 0)
    FROM events WHERE event_type = 'retraction' AND kind = 'correct');

-- Units, converted units, events and revenue per variant: only units that count, only what came after the exposure and before the
-- experiment's end, each once. Units whose first exposure lies in [start, stop).
-- SELECT * FROM variant_totals(experiment = 'checkout-v3', event = 'purchase', start = '2026-05-01 00:00:00', stop = '2026-06-01 00:00:00')
CREATE OR REPLACE VIEW variant_totals AS
SELECT
    variant,
    count() AS units,
    countIf(events > 0) AS converted,
    converted / units AS rate,
    sum(events) AS events_total,
    sum(value) AS revenue,
    revenue / units AS revenue_per_unit
FROM (
    SELECT
        e.variant AS variant,
        e.user_id AS user_id,
        e.unit_type AS unit_type,
        countIf(c.user_id != '' AND c.created_at >= e.first_exposure AND c.created_at < e.ended) AS events,
        sumIf(ifNull(c.event_value, toDecimal64(0, 6)),
            c.user_id != '' AND c.created_at >= e.first_exposure AND c.created_at < e.ended) AS value
    FROM first_exposures AS e
    LEFT JOIN (
        SELECT log, unit_type, user_id, created_at, event_value FROM conversions WHERE event_name = {event:String}
    ) AS c ON c.log = e.log AND c.unit_type = e.unit_type AND c.user_id = e.user_id
    WHERE e.experiment_id = {experiment:String}
      AND e.counted
      AND e.first_exposure >= parseDateTime64BestEffort({start:String}, 6, 'UTC')
      AND e.first_exposure < parseDateTime64BestEffort({stop:String}, 6, 'UTC')
    GROUP BY e.variant, e.unit_type, e.user_id
)
GROUP BY variant
ORDER BY variant;

-- Units per variant of the newest phase, and how many were seen in several variants.
CREATE OR REPLACE VIEW balance AS
SELECT experiment_id, variant, countIf(counted) AS units, countIf(variants > 1) AS crossed
FROM first_exposures
GROUP BY experiment_id, variant
ORDER BY experiment_id, variant;

-- Events per UTC hour of their own time, for charts: exposures by experiment and variant, conversions by name. Whether a conversion counts
-- for an experiment is not asked here. Copies of an event for other units are left out.
CREATE OR REPLACE VIEW events_by_hour AS
SELECT
    toStartOfHour(created_at) AS hour,
    event_type,
    experiment_id,
    variant,
    event_name,
    count() AS events,
    sum(ifNull(event_value, toDecimal64(0, 6))) AS value
FROM events
WHERE copy = 0 AND event_type IN ('exposure', 'conversion')
GROUP BY hour, event_type, experiment_id, variant, event_name
ORDER BY hour, event_type, experiment_id, variant, event_name;
