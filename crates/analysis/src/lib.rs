//! Merge partitions, infer, raise alarms, publish results.
