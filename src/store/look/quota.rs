//! What accounts have spent of their quota.
