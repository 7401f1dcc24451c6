//! A seeded world with known truth, faults and checkers.
