//! Questions about what happened, as people and programs outside of the daemon ask them.
//!
//! Each module adds the questions of one kind to [`super::Reader`]. Answers are rows of the public views
//! under the names that docs/audit.md explains, gathered in memory and bounded in number and size, so that
//! no read is open while somebody reads a screen. Nothing here writes. A question that takes too long is
//! [`super::StoreError::TooLong`].

// Rows as they come from a view.
pub mod rows;

// Which event a person means.
pub mod event;

// Many events, a line each.
pub mod list;

// One event from record to response.
pub mod story;

// Actions by state.
pub mod actions;

// How the daemon does.
pub mod condition;

// What people stopped, and what is parked.
pub mod stops;

// What accounts have spent of their quota.
pub mod quota;

// Rules as they were kept.
pub mod rules;

// Stored events as records, page by page.
pub mod stored;
// One event as it was accepted.
pub mod accepted;

// Why nothing is known of an object.
pub mod silence;

// A person's own SQL.
pub mod question;

// Where a statement ends.
mod statement;
