//! The 52 known event types.
