//! Rules: patterns, the index, parsing, templates, planning, and their documentation.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy knows test functions, but not the helpers beside them"
)]

mod diffed;
mod differential;
mod documented;
mod event_of;
mod exchanged;
mod explained;
mod hostile;
mod indexed;
mod linted;
mod matched;
mod naive;
mod parsed;
mod patterns;
mod planned;
mod rendered;
mod tested;
mod tried;
