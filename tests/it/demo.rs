//! The demonstration's parts: its broker and its endpoint, met as by strangers.

mod broker;

mod calls;
