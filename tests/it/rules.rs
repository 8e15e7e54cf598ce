//! Rules: patterns, the index, parsing, templates, planning, and their documentation.

mod documented;
mod event_of;
mod indexed;
mod parsed;
mod patterns;
mod planned;
mod rendered;
