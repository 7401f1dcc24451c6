-- Evidence on the split at each look: on rows over all units that of the experiment, on rows of a segment that within its value. Counts are in the
-- order of the variants; rows of earlier builds have none.
ALTER TABLE experiment_results
    ADD COLUMN IF NOT EXISTS split_ln_e Nullable(Float64),
    ADD COLUMN IF NOT EXISTS split_p_value Nullable(Float64),
    ADD COLUMN IF NOT EXISTS split_counts Array(Int64);
