-- Accepted events, each once.
CREATE OR REPLACE VIEW events AS
SELECT * FROM experiment_events FINAL
WHERE event_type IN ('exposure', 'conversion', 'retraction')
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Each unit's first exposure to an experiment, and in how many variants it was seen. An exposure counts from its own time, but at most an
-- hour before it arrived.
CREATE OR REPLACE VIEW first_exposures AS
SELECT
    e.experiment_id AS experiment_id,
    e.unit_type AS unit_type,
    e.user_id AS user_id,
    argMin(e.variant, (greatest(e.created_at, e.log_time - INTERVAL 1 HOUR), e.created_at, e.variant, e.event_id)) AS variant,
    min(greatest(e.created_at, e.log_time - INTERVAL 1 HOUR)) AS first_exposure,
    argMin(e.metadata, (greatest(e.created_at, e.log_time - INTERVAL 1 HOUR), e.created_at, e.variant, e.event_id)) AS attributes,
    uniqExact(e.variant) AS variants
FROM events AS e
WHERE e.event_type = 'exposure'
  AND (e.unit_type, e.user_id) NOT IN (
    SELECT unit_type, user_id FROM events WHERE event_type = 'retraction' AND kind IN ('bot', 'erase'))
GROUP BY e.experiment_id, e.unit_type, e.user_id;

-- Conversions that were not taken back.
CREATE OR REPLACE VIEW conversions AS
SELECT * FROM events
WHERE event_type = 'conversion'
  AND (unit_type, user_id, event_id, event_name, created_at, ifNull(event_value, 0)) NOT IN (
    SELECT unit_type, user_id, ifNull(target_event_id, event_id), event_name, ifNull(target_event_time, created_at), ifNull(event_value, 0)
    FROM events WHERE event_type = 'retraction' AND kind = 'correct');

-- Units, converted units, events and revenue per variant: only units seen in one variant, only what came after the exposure, each once.
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
        countIf(c.user_id != '' AND c.created_at >= e.first_exposure) AS events,
        sumIf(ifNull(c.event_value, toDecimal64(0, 6)), c.user_id != '' AND c.created_at >= e.first_exposure) AS value
    FROM first_exposures AS e
    LEFT JOIN (
        SELECT unit_type, user_id, created_at, event_value FROM conversions WHERE event_name = {event:String}
    ) AS c ON c.unit_type = e.unit_type AND c.user_id = e.user_id
    WHERE e.experiment_id = {experiment:String}
      AND e.variants = 1
      AND e.first_exposure >= parseDateTime64BestEffort({start:String}, 6, 'UTC')
      AND e.first_exposure < parseDateTime64BestEffort({stop:String}, 6, 'UTC')
    GROUP BY e.variant, e.unit_type, e.user_id
)
GROUP BY variant
ORDER BY variant;

-- Units per variant, and how many were seen in several variants.
CREATE OR REPLACE VIEW balance AS
SELECT experiment_id, variant, countIf(variants = 1) AS units, countIf(variants > 1) AS crossed
FROM first_exposures
GROUP BY experiment_id, variant
ORDER BY experiment_id, variant;
