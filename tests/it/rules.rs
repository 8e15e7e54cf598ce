//! Rules: patterns, the index, parsing, templates, planning, and their documentation.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy knows test functions, but not the helpers beside them"
)]

mod documented;
mod event_of;
mod explained;
mod indexed;
mod parsed;
mod patterns;
mod planned;
mod rendered;
