//! Rules of event buses in, and patterns for them out.
//!
//! [`import::Importer`] makes rules of ours from what a bus exports; [`export::export`] gives the patterns of our rules
//! in the form that a bus takes. Both say what cannot be carried over, and leave out what would mean something else
//! there.

// Rules of a bus become rules of ours.
pub mod import;

// Our patterns for a bus.
pub mod export;

// Where the rules stand in what a bus exports.
mod source;

// Patterns as JSON text.
mod text;
