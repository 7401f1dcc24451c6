//! Inference on plain numbers.
